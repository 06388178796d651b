// Builds every src/entries/*.ts into viewer/static/dist with hashed names and .vite/manifest.json.
// Run by hatch_build.py, which sets LYSBRO_DIST to a fresh folder and swaps it in when all is well.
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build, defineConfig, type Plugin } from "vite";

const here = import.meta.dirname;
const entriesFolder = join(here, "src/entries");
const dist = resolve(process.env["LYSBRO_DIST"] ?? join(here, "../static/dist"));

const entries = Object.fromEntries(
  readdirSync(entriesFolder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => [basename(name, ".ts"), join(entriesFolder, name)]),
);

export default defineConfig({
  base: "./",
  build: {
    outDir: dist,
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    cssTarget: "es2022",
    assetsInlineLimit: 0, // the pages' policy allows no data: addresses
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: entries,
      // one file for what pages share: browsers fetch six at a time, and a page needs its own at once
      output: { codeSplitting: { groups: [{ name: "shared", test: /src\/shared\// }] } },
    },
  },
  plugins: [captureWorker(), thirdParty(), compressed()],
});

/** Builds the capture page's service worker by itself, as one classic script: the server puts the files' names before it. */
function captureWorker(): Plugin {
  return {
    name: "lysbro-capture-worker",
    apply: "build",
    async closeBundle() {
      await build({
        configFile: false,
        logLevel: "warn",
        build: {
          outDir: dist,
          emptyOutDir: false,
          target: "es2022",
          lib: {
            entry: join(here, "src/capture/service_worker.ts"),
            formats: ["iife"],
            name: "lysbroCaptureWorker",
            fileName: () => "capture-worker.js",
          },
        },
      });
    },
  };
}

/** Writes THIRD_PARTY.txt: every package of the lock file that goes into the bundle, with its licence. */
function thirdParty(): Plugin {
  interface Locked {
    version?: string;
    license?: string;
    dev?: boolean;
    devOptional?: boolean;
  }
  return {
    name: "lysbro-third-party",
    apply: "build",
    closeBundle() {
      const lock = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8")) as {
        packages: Record<string, Locked>;
      };
      const parts = Object.entries(lock.packages)
        .filter(([path, locked]) => path !== "" && !locked.dev && !locked.devOptional)
        .flatMap(([path, locked]) => {
          const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
          const text = licenceText(join(here, path));
          if (text === null) return []; // not installed on this platform, so not in the bundle either
          const title = `${name} ${locked.version ?? ""} (${locked.license ?? "see below"})`;
          return [`${title}\n${"-".repeat(title.length)}\n${text}`];
        });
      const intro = "Lysbro's pages contain these packages, each under its own licence.\n";
      writeFileSync(join(dist, "THIRD_PARTY.txt"), [intro, ...parts].join("\n\n"));
    },
  };
}

function licenceText(folder: string): string | null {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return null;
  }
  const name = names.find((each) => /^(licen[cs]e|copying)/i.test(each) && statSync(join(folder, each)).isFile());
  return name === undefined ? "(the package carries no licence file)\n" : readFileSync(join(folder, name), "utf8");
}

/** Puts a .br and a .gz beside each text asset, so that the server compresses nothing itself. */
function compressed(): Plugin {
  const worthwhile = /\.(js|css|svg|wasm|txt)$/;
  const quality = Number(process.env["LYSBRO_BROTLI_QUALITY"] ?? "9");
  return {
    name: "lysbro-compressed",
    apply: "build",
    enforce: "post",
    closeBundle: {
      order: "post",
      handler() {
        for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
          const path = join(dist, name);
          if (!worthwhile.test(name) || !statSync(path).isFile()) continue;
          const bytes = readFileSync(path);
          if (bytes.length < 1024) continue;
          const params = {
            [constants.BROTLI_PARAM_QUALITY]: quality,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
          };
          writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
          writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        }
      },
    },
  };
}
