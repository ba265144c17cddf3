/** findings: what is wrong with a definition, for people and for programs. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include "base/diagnostic.h"
#include "json/json.h"

#include <stdio.h>

/** Prints each finding with its line of `text`, a caret, and the fix. */
void findings_print(FILE *out, const char *file, str text, const struct diagnostics *list);

/** An array of {code, severity, pointer, line, column, detail, hint}. Owned. */
json findings_json_new(const struct diagnostics *list);

#endif
