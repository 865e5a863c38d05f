export { common } from "./common";
export { dashboard } from "./dashboard";
export { journal } from "./journal";
export { settings } from "./settings";
export { shell } from "./shell";
export { signin } from "./signin";
export { tasks } from "./tasks";
