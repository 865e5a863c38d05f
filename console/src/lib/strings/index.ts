export { common } from "./common";
export { dashboard } from "./dashboard";
export { shell } from "./shell";
export { signin } from "./signin";
export { market } from "./market";
export { strategies } from "./strategies";
