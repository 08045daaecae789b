// Statements of links by Node's own cryptography, which knows nothing of us but the published keys.
// Reads {"jwks", "tokens"}, writes [{"alg", "kid", "claims"} or null].
const crypto = require("crypto");

const { jwks, tokens } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const decoded = (part) => Buffer.from(part, "base64url");
const members = { OKP: ["crv", "kty", "x"], EC: ["crv", "kty", "x", "y"] };

// The name of a key is its thumbprint (RFC 7638).
for (const key of jwks.keys) {
  const thumb = JSON.stringify(Object.fromEntries(members[key.kty].map((name) => [name, key[name]])));
  const kid = crypto.createHash("sha256").update(thumb).digest("base64url");
  if (kid !== key.kid || key.use !== "sig") throw new Error(`not the name of its key: ${key.kid}`);
}

const judged = tokens.map((token) => {
  const [head, body, signature] = token.split(".");
  const { alg, kid } = JSON.parse(decoded(head));
  const jwk = jwks.keys.find((key) => key.kid === kid && key.alg === alg);
  if (!jwk) return null;
  const key = crypto.createPublicKey({ key: jwk, format: "jwk" });
  const [hash, by] = { ES256: ["sha256", { key, dsaEncoding: "ieee-p1363" }], EdDSA: [null, key] }[alg];
  const good = crypto.verify(hash, Buffer.from(`${head}.${body}`), by, decoded(signature));
  return good ? { alg, kid, claims: JSON.parse(decoded(body)) } : null;
});
process.stdout.write(JSON.stringify(judged));
