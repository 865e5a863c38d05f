import { readdirSync } from "node:fs";
import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

const features = readdirSync(new URL("src/features", import.meta.url));
const banned = (group, message) => ({ "no-restricted-imports": ["error", { patterns: [{ group, message }] }] });

export default ts.config(
  { ignores: ["src/lib/api/schema.d.ts", "*.config.*"] },
  js.configs.recommended,
  ts.configs.strictTypeChecked,
  hooks.configs.flat["recommended-latest"],
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "max-lines": ["error", 320],
      "react-hooks/incompatible-library": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ["src/lib/**", "src/components/**"],
    rules: banned(["@/features/*", "@/app/*", "../features/*", "../app/*"], "lib and components know neither pages nor the app"),
  },
  { files: ["src/lib/**"], rules: banned(["@/features/*", "@/app/*", "@/components/*"], "lib knows only lib") },
  ...features.map((own) => ({
    files: [`src/features/${own}/**`],
    rules: banned(
      ["@/app/*", "../../*", ...features.filter((other) => other !== own).map((other) => `@/features/${other}/*`)],
      "a page imports from lib, components and its own folder; no other page",
    ),
  })),
);
