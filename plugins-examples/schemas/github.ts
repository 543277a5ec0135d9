// Of GitHub's types, which are those of its whole API, this one.

import type { operations } from "@octokit/openapi-types";

export type GitHubIssue = operations["issues/create"]["requestBody"]["content"]["application/json"];
