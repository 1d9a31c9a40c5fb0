// Validates custom resources (a JSON list in the file that is named) against the schemas of their operators.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// Packages are where check.sh puts them, not beside this file.
const load = (path) => import(pathToFileURL(`${process.argv[2]}/node_modules/@kubernetes-models/${path}/index.js`));
const kinds = {
  ...(await load("prometheus-operator/monitoring.coreos.com/v1")),
  ...(await load("keda/keda.sh/v1alpha1")),
};

const resources = JSON.parse(readFileSync(process.argv[3], "utf8"));
for (const resource of resources) {
  const Kind = kinds[resource.kind];
  if (!Kind || Kind.apiVersion !== resource.apiVersion) {
    throw new Error(`there is no schema of ${resource.apiVersion} ${resource.kind}`);
  }
  new Kind(resource).validate();
}
console.log(`chart: ${resources.length} custom resources valid for KEDA and the Prometheus operator`);
