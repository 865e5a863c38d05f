export { common } from "./common";
export { dashboard } from "./dashboard";
export { shell } from "./shell";
export { signin } from "./signin";
export { tasks } from "./tasks";
