export { calendar } from "./calendar";
export { common } from "./common";
export { dashboard } from "./dashboard";
export { news } from "./news";
export { shell } from "./shell";
export { signin } from "./signin";
export { tasks } from "./tasks";
