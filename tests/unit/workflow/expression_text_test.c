/* Texts that look like expressions and are none, and the other way round. */
#include "findings.h"

static const struct finding_row rows[] = {
    /* V23 */
    {"an expression inside a text", TASKS "- a: { set: { b: 'hello ${ .x }' } }\n", "V23", 3, 25,
     "inside a text", "\\("},
    {"two expressions in one text", TASKS "- a: { set: { b: '${ .x }-${ .y }' } }\n", "V23", 3, 19,
     "inside a text", "\\("},
    {"a text behind an expression", TASKS "- a: { set: { b: '${ .x } and more' } }\n", "V23", 3, 19,
     "inside a text", "\\("},
    {"double braces with a dollar", TASKS "- a: { set: { b: '${{ .x }}' } }\n", "V23", 3, 19,
     "not the wrapper", "`${ .x }`"},
    {"double braces", TASKS "- a: { set: { b: '{{ .x }}' } }\n", "V23", 3, 19, "not the wrapper",
     "`${ .x }`"},
    {"JSONPath", TASKS "- a: { set: { b: $.user.name } }\n", "V23", 3, 18, "`$.`",
     "`${ .user.name }`"},
    {"JSONPath as a condition", TASKS "- a: { if: $.user, set: { b: 1 } }\n", "V23", 3, 12, "`$.`",
     "`${ .user }`"},
    {"double braces as a condition", TASKS "- a: { if: '{{ .user }}', set: { b: 1 } }\n", "V23", 3,
     13, "wrapper", "`${ .user }`"},
    {"an expression inside a URI",
     TASKS "- a: { call: http, with: { method: GET, endpoint: 'https://x/${ .id }' } }\n", "V23", 3,
     62, "inside a text", "\\("},
    /* V24 */
    {"a literal block", TASKS "- a:\n    set:\n      b: |\n        ${ .x\n        | .y }\n", "V24",
     6, 9, "line ends", "`>-`"},
    /* V25 */
    {"a comment cuts it off", TASKS "- a:\n    set:\n      b: ${ .x # more }\n", "V25", 5, 10,
     "not closed", "quotes"},
    {"an open wrapper", TASKS "- a: { set: { b: '${ .x' } }\n", "V25", 3, 19, "not closed",
     "end the text"},
    {"an open wrapper as a condition", TASKS "- a: { if: '${ .x', set: { b: 1 } }\n", "V25", 3, 13,
     "not closed", "end the text"},
    /* V40 */
    {"a path without wrapper", TASKS "- a: { set: { b: .user.name } }\n", "V40 w", 3, 18,
     "looks like a path", "`${ .user.name }`"},
    {"a variable without wrapper", TASKS "- a: { set: { b: $input.x } }\n", "V40 w", 3, 18,
     "looks like a path", "`${ $input.x }`"},
    {"a path deep in a template", TASKS "- a: { set: { b: [ 1, { c: .x } ] } }\n", "V40 w", 3, 28,
     "`.x`", "`${ .x }`"},
};

int main(void)
{
    return run_findings("workflow expression text", rows, ARRAY_LEN(rows));
}
