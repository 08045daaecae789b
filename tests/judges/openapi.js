// Reads an OpenAPI document from standard input; prints "valid" and how many operations it has, or
// what is wrong with it.
const parser = require("@apidevtools/swagger-parser");
let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", async () => {
  try {
    const api = await parser.validate(JSON.parse(text));
    const operations = Object.values(api.paths).flatMap((path) => Object.keys(path));
    console.log(JSON.stringify({ valid: true, operations: operations.length }));
  } catch (why) {
    console.log(JSON.stringify({ valid: false, why: String(why.message) }));
  }
});
