import type { ResourceType } from "../../operator/kube/objects.ts";

/** Kinds that tests make or read, and that the operator has nothing to do with. */
export const customResourceDefinitions: ResourceType = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

export const namespaces: ResourceType = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};

export const nodes: ResourceType = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };

export const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true };
