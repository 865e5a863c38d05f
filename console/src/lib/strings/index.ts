export { common } from "./common";
export { dashboard } from "./dashboard";
export { ideas } from "./ideas";
export { levels } from "./levels";
export { positions } from "./positions";
export { shell } from "./shell";
export { signin } from "./signin";
