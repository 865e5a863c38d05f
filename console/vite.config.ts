import { readFile, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vitest/config";

const BUILT = "../backend/console";
const PACKED = /\.(js|css|svg)$/;

function packed(): Plugin {
  let built = "";
  return {
    name: "packed",
    apply: "build",
    configResolved: ({ root, build }) => {
      built = resolve(root, build.outDir);
    },
    async closeBundle() {
      const folder = join(built, "assets");
      for (const name of await readdir(folder)) {
        if (!PACKED.test(name)) continue;
        const path = join(folder, name);
        await writeFile(`${path}.gz`, await promisify(gzip)(await readFile(path), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), packed()],
  resolve: { alias: { "@": join(import.meta.dirname, "src") } },
  build: { outDir: BUILT, emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 700, modulePreload: { polyfill: false } },
  server: { proxy: { "/api": "http://127.0.0.1:8001", "/healthz": "http://127.0.0.1:8001" } },
  test: { include: ["src/**/*.test.ts"] },
});
