/**
 * catalog_url: where in a catalog a function is, and what a page of GitHub or GitLab shows.
 *
 * A catalog is a folder with `functions/<name>/<version>/function.yaml` in it. People write down
 * what their browser shows; what is read is the raw form of it:
 *
 *     https://github.com/o/r                     https://raw.githubusercontent.com/o/r/HEAD
 *     https://github.com/o/r/tree/main/catalog   https://raw.githubusercontent.com/o/r/main/catalog
 *     https://gitlab.com/g/p                     https://gitlab.com/g/p/-/raw/HEAD
 *     https://git.acme.test/g/p/-/blob/main/x    https://git.acme.test/g/p/-/raw/main/x
 *
 * A branch with a `/` in its name is written as `refs/heads/<branch>`. Pure functions.
 */
#ifndef WORKFLOW_CATALOG_URL_H
#define WORKFLOW_CATALOG_URL_H

#include "base/buf.h"

/** Appends the raw form of a page with a document, without query and fragment; any other URL as it
 * is. False: it does not fit. */
bool catalog_raw_url(str url, struct buf *out);

/** Appends where a function stands in the catalog at `endpoint`, of a repository's page in its
 * default branch. False: it does not fit. */
bool catalog_function_url(str endpoint, str name, str version, struct buf *out);

/** The name of the function at `url`: ".../log/1.0.0/function.yaml" is `log`, ".../log.yaml" too; a
 * view, "function" if the URL has none. */
str catalog_function_name(str url);

#endif
