export { common } from "./common";
export { dashboard } from "./dashboard";
export { decisions } from "./decisions";
export { research } from "./research";
export { shell } from "./shell";
export { signin } from "./signin";
