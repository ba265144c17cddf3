/* What is wrong with a saga, a compensation, and what the engine carries out itself. */
#include "findings.h"

#define TUTTI(what) "metadata: { tutti: { " what " } }"

static const struct finding_row rows[] = {
    {"saga on a set", TASKS "- a: { set: { b: 1 }, " TUTTI("saga: true") " }\n", "V30", 3, 44,
     "belongs to the document, a `do` or a `try`", "saga: true"},
    {"saga on a for", TASKS "- a: { for: { in: '[]' }, do: [], " TUTTI("saga: true") " }\n", "V30",
     3, 56, "`saga` means nothing here", "`do`"},
    {"compensate: true", TASKS "- a: { set: { b: 1 }, " TUTTI("compensate: true") " }\n", "V06", 3,
     56, "a list of tasks, or false", "its adapter"},
    {"a function as compensate", TASKS "- a: { set: { b: 1 }, " TUTTI("compensate: undo") " }\n",
     "V14", 3, 56, "there is no function `undo`", ""},
    {"a compensation that nothing starts",
     TASKS "- a: { set: { b: 1 }, " TUTTI("compensate: [ { u: { wait: PT1S } } ]") " }\n", "V43 w",
     3, 6, "no saga around", "saga: true"},
    {"a compensation of a compensation",
     TASKS "- s: { " TUTTI("saga: true") ", do: [ { a: { set: { b: 1 }, metadata: { tutti: {\n"
                                         "    compensate: [ { u: { wait: PT1S, " TUTTI(
                                             "compensate: []") " } } ] } } } } ] }\n",
     "V30", 4, 59, "is not undone itself", ""},
    {"a saga in a compensation",
     TASKS "- s: { " TUTTI("saga: true") ", do: [ { a: { set: { b: 1 }, metadata: { tutti: {\n"
                                         "    compensate: [ { u: { do: [], " TUTTI(
                                             "saga: true") " } } ] } } } } ] }\n",
     "V30", 4, 55, "is not undone itself", ""},
    {"then: end in a compensation",
     TASKS "- s: { " TUTTI(
         "saga: true") ", do: [ { a: { set: { b: 1 }, metadata: { tutti: {\n"
                       "    compensate: [ { u: { wait: PT1S, then: end } } ] } } } } ] }\n",
     "V11", 4, 44, "no part of its way", "`exit`"},
    {"a loop's variable in a compensation",
     TASKS "- s: { " TUTTI("saga: true") ", do: [ { l: { for: { in: '[1]' }, do: [ { a: {\n"
                                         "    set: { b: 1 }, metadata: { tutti: { compensate: [ { "
                                         "u: { set: '${ $item }' } } ]\n"
                                         "    } } } } ] } } ] }\n",
     "V21", 4, 71, "`$item`", ""},
    {"the key of a synonym", TASKS "- a: { set: { b: 1 }, " TUTTI("undo: []") " }\n", "V04", 3, 44,
     "`undo`", "`compensate`"},
    /* tutti.compensate */
    {"tutti.compensate outside of a catch", TASKS "- a: { call: tutti.compensate }\n", "V30", 3, 6,
     "needs a `scope`", "scope"},
    {"tutti.compensate of nobody",
     TASKS "- shop: { do: [] }\n- a: { call: tutti.compensate, with: { scope: shp } }\n", "V13", 4,
     6, "no task `shp`", "`shop`"},
    {"tutti.compensate of an expression",
     TASKS "- b: { do: [] }\n- a: { call: tutti.compensate, with: { scope: '${ .x }' } }\n", "V06",
     4, 47, "no expression", "`try`"},
    {"tutti.compensate with something else",
     TASKS "- b: { do: [] }\n- a: { call: tutti.compensate, with: { scop: b } }\n", "V04", 4, 40,
     "`scop`", "`scope`"},
    /* tutti.variant */
    {"tutti.variant without weights",
     TASKS "- a: { call: tutti.variant, with: { experiment: e } }\n", "V14", 3, 35, "weights", ""},
    {"tutti.variant with a weight below 0",
     TASKS "- a: { call: tutti.variant, with: { experiment: e, weights: { a: -1 } } }\n", "V14", 3,
     66, "weights/a", ""},
    {"tutti.variant with nothing to choose",
     TASKS "- a: { call: tutti.variant, with: { experiment: e, weights: { a: 0 } } }\n", "V14", 3,
     61, "above 0", ""},
    {"tutti.variant with no label",
     TASKS "- a: { call: tutti.variant, with: { experiment: E_, weights: { a: 1 } } }\n", "V14", 3,
     49, "experiment", ""},
    {"tutti.variant with another argument",
     TASKS "- a: { call: tutti.variant, with: { experiment: e, weigths: 1, weights: { a: 1 } } }\n",
     "V14", 3, 52, "`weigths`", "`weights`"},
};

int main(void)
{
    return run_findings("undo", rows, ARRAY_LEN(rows));
}
