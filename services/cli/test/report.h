/** report: outcomes for people, for programs, and as JUnit XML. */
#ifndef CLI_TEST_REPORT_H
#define CLI_TEST_REPORT_H

#include "cli/test/outcome.h"

/** The outcomes of one file. */
struct suite {
    const char *path;     /* of the file of cases */
    const char *workflow; /* "namespace/name:version" */
    const struct yaml_document *yaml;
    const struct outcome *outcomes;
    size_t count, failed;
};

void report_print(const struct suite *suite);

/** One JSON document on a line. */
void report_json(const struct suite *suite);

/** Appends a <testsuite>. */
void report_junit(const struct suite *suite, struct buf *out);

#endif
