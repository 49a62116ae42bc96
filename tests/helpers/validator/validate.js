// Validates one glTF file and prints the report as JSON. Files it refers to are read from beside it.
const fs = require("fs");
const path = require("path");
const validator = require("gltf-validator");

const file = path.resolve(process.argv[2]);
validator
  .validateBytes(new Uint8Array(fs.readFileSync(file)), {
    uri: file,
    maxIssues: 0,
    externalResourceFunction: async (uri) =>
      new Uint8Array(fs.readFileSync(path.join(path.dirname(file), decodeURIComponent(uri)))),
  })
  .then((report) => process.stdout.write(JSON.stringify(report)))
  .catch((error) => {
    process.stderr.write(String(error));
    process.exit(1);
  });
