// Validates the AsyncAPI document with AsyncAPI's own parser, which resolves every reference and knows the rules.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// Packages are where check.sh puts them, not beside this file.
const { Parser } = createRequire(`${process.argv[2]}/node_modules/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[3], "utf8"));
// 0 is an error, 1 a warning; below are hints of style, such as that there is no contact.
const wrong = diagnostics.filter((found) => found.severity <= 1 && found.code !== "asyncapi-latest-version");
for (const found of wrong) console.error(`${found.path.join(".")}: ${found.message} (${found.code})`);
if (!document || wrong.length > 0) process.exit(1);
const channels = document.channels().all().length;
console.log(`contract: the AsyncAPI document is valid, ${channels} channels, ${document.operations().all().length} operations`);
