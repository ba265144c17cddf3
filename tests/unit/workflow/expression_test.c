/* What is wrong with an expression: one row per finding. The tasks of a row start at line 3. */
#include "findings.h"

static const struct finding_row rows[] = {
    /* V20 */
    {"a syntax error", TASKS "- a: { if: '.a |', set: { b: 1 } }\n", "V20", 3, 17, "unexpected end",
     ""},
    {"an empty expression", TASKS "- a: { set: { b: '${ }' } }\n", "V20", 3, 21, "empty", "${ . }"},
    /* V21: unknown */
    {"a variable that is none", TASKS "- a: { if: $contxt.x, set: { b: 1 } }\n", "V21", 3, 12,
     "no variable `$contxt`", "`$context`"},
    {"$now", TASKS "- a: { set: { b: '${ 1 + $now }' } }\n", "V21", 3, 26, "`$now`", "`now`"},
    {"$vars", TASKS "- a: { set: { b: '${ $vars.x }' } }\n", "V21", 3, 22, "`$vars`",
     "`$context`, or `$steps"},
    {"$item outside of a loop", TASKS "- a: { set: { b: '${ $item }' } }\n", "V21", 3, 22,
     "`$item`", ""},
    {"$item in its own list", TASKS "- a: { for: { in: $item }, do: [] }\n", "V21", 3, 19,
     "`$item`", ""},
    {"$error outside of a catch",
     TASKS "- a: { try: [ { b: { set: { c: '${ $error }' } } } ], catch: {} }\n", "V21", 3, 36,
     "`$error`", ""},
    {"$error under another name",
     TASKS "- a: { try: [], catch: { as: problem, when: $error.x } }\n", "V21", 3, 45, "`$error`",
     ""},
    /* V21: unavailable */
    {"$output in output.as", TASKS "- a: { set: { b: 1 }, output: { as: $output.x } }\n", "V21", 3,
     37, "`$output` is not available in `output.as`", "`export.as` only"},
    {"$input in if", TASKS "- a: { if: .x and $input.x, set: { b: 1 } }\n", "V21", 3, 19,
     "`$input` is not available in `if`", "`$workflow.input`"},
    {"$input in input.from", TASKS "- a: { set: { b: 1 }, input: { from: $input } }\n", "V21", 3,
     38, "`input.from`", "`$workflow.input`"},
    {"$output in a task", TASKS "- a: { set: { b: '${ $output }' } }\n", "V21", 3, 22,
     "the definition of a task", "`export.as`"},
    {"$context in the workflow's input", HEAD "input: { from: $context }\ndo: []\n", "V21", 2, 16,
     "the workflow's `input.from`", "`.`"},
    {"$input in the workflow's output", HEAD "do: []\noutput: { as: $input }\n", "V21", 3, 15,
     "the workflow's `output.as`", "`$workflow.input`"},
    {"$task in the workflow's output", HEAD "do: []\noutput: { as: $task }\n", "V21", 3, 15,
     "the workflow's `output.as`", ""},
    /* V21: $steps */
    {"a step that is none",
     TASKS "- alpha: { set: { b: 1 } }\n- z: { set: { b: '${ $steps.alhpa }' } }\n", "V21 w", 4, 21,
     "always null", "`$steps.alpha`"},
    {"a step of another branch",
     TASKS "- f: { fork: { branches: [ { one: { set: { b: 1 } } }, { two: { set: { b: '${ "
           "$steps.one }' } } } ] } }\n",
     "V21 w", 3, 78, "always null", ""},
    {"a step inside another task",
     TASKS "- f: { do: [ { one: { set: { b: 1 } } } ] }\n- z: { set: { b: '${ $steps.one }' } }\n",
     "V21 w", 4, 21, "always null", ""},
    {"a step of a parallel body",
     TASKS "- f: { for: { in: .x }, do: [ { one: { set: { b: 1 } } } ], output: { as: $steps.one "
           "}, metadata: { tutti: { parallel: 2 } } }\n",
     "V21 w", 3, 75, "always null", ""},
    /* V22 */
    {"a function that is none", TASKS "- a: { if: lenght > 1, set: { b: 1 } }\n", "V22", 3, 12,
     "lenght", ""},
    {"a function that is left out", TASKS "- a: { set: { b: '${ env.HOME }' } }\n", "V22", 3, 22,
     "env/0 is not available", "environment"},
    /* V41 */
    {"several values", TASKS "- a: { set: { b: '${ .x[] }' } }\n", "V41 w", 3, 21,
     "several values or none", "first(…)"},
};

int main(void)
{
    return run_findings("workflow expression", rows, ARRAY_LEN(rows));
}
