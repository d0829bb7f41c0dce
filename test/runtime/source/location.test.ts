import { expect } from "chai";

import { LoadError } from "../../../runtime/load-error.ts";
import { parseLocation, redactUri } from "../../../runtime/source/location.ts";

const CONFIG = { configMapRoot: "/configmaps", claimRoot: "/claims", allowHttp: false };

describe("A model's location", () => {
  for (const [uri, expected] of [
    ["/models/loan", { kind: "path", path: "/models/loan" }],
    ["file:///models/my%20loan", { kind: "path", path: "/models/my loan" }],
    ["configmap://loan-v1", { kind: "configmap", path: "/configmaps/loan-v1", name: "loan-v1" }],
    ["gs://ml/loan/1/", { kind: "gs", bucket: "ml", key: "loan/1/" }],
    ["az://ml/loan.onnx", { kind: "az", bucket: "ml", key: "loan.onnx" }],
    ["pvc://models/loan/1/", { kind: "pvc", claim: "models", mount: "/claims/models", path: "/claims/models/loan/1" }],
    ["pvc://models", { kind: "pvc", claim: "models", path: "/claims/models" }],
    ["hf://acme/loan", { kind: "hf", repository: "acme/loan", revision: "main", path: "" }],
    ["hf://acme/loan@v1.2/onnx/", { kind: "hf", repository: "acme/loan", revision: "v1.2", path: "onnx" }],
    ["oci://ghcr.io/acme/loan", { kind: "oci", registry: "ghcr.io", repository: "acme/loan", reference: "latest" }],
    ["oci://reg:5000/loan:1.0", { kind: "oci", registry: "reg:5000", repository: "loan", reference: "1.0" }],
    [`oci://reg/loan:1@sha256:${"a".repeat(64)}`, { kind: "oci", reference: `sha256:${"a".repeat(64)}` }],
    ["s3://ml/loan/1.0.0/", { kind: "s3", bucket: "ml", key: "loan/1.0.0/" }],
    ["s3://ml", { kind: "s3", bucket: "ml", key: "" }],
    [
      "https://models.example.com/loan.onnx?token=secret",
      { kind: "http", uri: "https://models.example.com/loan.onnx" },
    ],
    ["http://127.0.0.1:9000/loan/", { kind: "http" }],
    ["http://localhost/loan/", { kind: "http" }],
  ] as const) {
    it(`is understood in ${uri}`, () => expect(parseLocation(uri, CONFIG)).to.include(expected));
  }

  for (const [uri, reason, message] of [
    ["ftp://host/model", "UnsupportedSource", /ftp:\/\/ is not supported/],
    ["http://models.example.com/loan/", "UnsupportedSource", /use https:\/\/, or set ALLOW_HTTP/],
    ["http://127.0.0.1.example.com/", "UnsupportedSource", /plain http/],
    ["https://169.254.169.254/latest/", "UnsupportedSource", /link-local/],
    ["https://[fe80::1]/x/", "UnsupportedSource", /link-local/],
    ["https://[::ffff:169.254.169.254]/x/", "UnsupportedSource", /link-local/],
    ["configmap://../secrets", "InvalidConfiguration", /configmap:\/\/NAME/],
    ["configmap://a/b", "InvalidConfiguration", /configmap:\/\/NAME/],
    ["file://host/path", "InvalidConfiguration", /file:\/\/\/absolute/],
    ["pvc://models/../secrets", "InvalidModel", /could leave/],
    ["pvc://", "InvalidConfiguration", /pvc:\/\/CLAIM/],
    ["hf://loan", "InvalidConfiguration", /hf:\/\/ORG/],
    ["hf://../loan", "InvalidConfiguration", /hf:\/\/ORG/],
    ["hf://acme/loan/../../x", "InvalidConfiguration", /hf:\/\/ORG/],
    ["oci://loan:1", "InvalidConfiguration", /oci:\/\/REGISTRY/],
    ["oci://reg/../loan", "InvalidConfiguration", /oci:\/\/REGISTRY/],
    ["s3://", "InvalidConfiguration", /s3:\/\/BUCKET/],
    ["https://", "InvalidConfiguration", /not a URL/],
  ] as const) {
    it(`is refused in ${uri}`, () => {
      expect(() => parseLocation(uri, CONFIG))
        .to.throw(LoadError, message)
        .with.property("reason", reason);
    });
  }

  for (const [uri, reference] of [
    ["models:/Loan/3", { model: "Loan", version: "3" }],
    ["models:/My loan@champion", { model: "My loan", alias: "champion" }],
    [`models:/m-${"0".repeat(32)}`, { loggedModel: `m-${"0".repeat(32)}` }],
    ["runs:/abc123/loan/model/", { run: "abc123", path: "loan/model" }],
  ] as const) {
    it(`is understood in ${uri}`, () =>
      expect(parseLocation(uri, CONFIG)).to.deep.equal({ kind: "mlflow", uri, reference }));
  }

  for (const uri of ["models:/Loan", "models:/Loan/latest", "models:/Loan@", "runs:/abc", "runs:/abc/"]) {
    it(`is refused in ${uri}`, () => {
      expect(() => parseLocation(uri, CONFIG))
        .to.throw(LoadError, /models:\/NAME\/VERSION/)
        .with.property("reason", "InvalidConfiguration");
    });
  }

  it("may be plain HTTP when that is allowed", () => {
    expect(parseLocation("http://minio.ml/loan/", { ...CONFIG, allowHttp: true })).to.include({ kind: "http" });
  });

  it("is shown without anything that may be a secret", () => {
    expect(redactUri("https://user:pass@host/path?X-Amz-Signature=1#x")).to.equal("https://host/path");
    expect(redactUri("https://user:p@ss@host/path")).to.equal("https://host/path");
    expect(redactUri("/a/folder")).to.equal("/a/folder");
  });
});
