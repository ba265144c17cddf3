/**
 * case_file: what a `<workflow>.test.yaml` says (docs/reference/test-files.md), read and checked.
 *
 * Everything lives as long as the arena it was read into, but for the JSON values, which belong to
 * the document: case_file_free().
 */
#ifndef CLI_TEST_CASE_FILE_H
#define CLI_TEST_CASE_FILE_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "yaml/yaml.h"
#include "json/json.h"

enum {
    CASES_MAX     = 1'000, /* of a file */
    ANSWERS_MAX   = 1'000, /* of a function */
    STAND_INS_MAX = 256,
    STEPS_MAX     = 1'000,
    EXPECTED_MAX  = 1'000, /* calls */
    WORKFLOWS_MAX = 64,
};

enum answer_kind { ANSWER_OUTPUT, ANSWER_ERROR, ANSWER_ECHO, ANSWER_NEVER };

/** How a stand-in answers a call. */
struct answer {
    enum answer_kind kind;
    const char *pointer;
    json when;  /* members that the arguments must have; invalid: any call */
    json value; /* output or error */
    json undo;  /* array of {function, with}; invalid: none */
    enum { RETRYABLE_BY_STATUS, RETRYABLE_YES, RETRYABLE_NO } retryable;
    int64_t takes_us;
    uint32_t times; /* 0: once, or from then on if it is the last one */
};

struct stand_in {
    const char *function, *pointer;
    struct answer *answers;
    size_t count;
};

struct stand_ins {
    struct stand_in *items;
    size_t count;
};

enum step_kind { STEP_SIGNAL, STEP_PUBLISH, STEP_APPROVE, STEP_REJECT, STEP_CONTROL };

/** Something that happens to the run at a time. */
struct step {
    enum step_kind kind;
    const char *pointer;
    int64_t after_us;                /* since the start */
    const char *name;                /* of a signal; "cancel", "pause", ... */
    json data;                       /* of a signal or decision, or the event; invalid: none */
    const char *task, *by, *comment; /* of a decision; NULL: not said */
};

struct expected_call {
    const char *function, *pointer;
    json with; /* members that its arguments have; invalid: any */
};

struct expected_count {
    const char *function, *pointer;
    uint32_t count;
};

struct expectation {
    const char *pointer;
    const char *status; /* NULL: as output or error say; "completed" if neither does */
    json output, has;   /* invalid: not said */
    json error;         /* members that it has */
    json labels;        /* likewise */
    struct expected_call *calls;
    size_t call_count;
    struct expected_count *counts;
    size_t count_count;
    bool has_undone;
    const char **undone;
    size_t undone_count;
    int64_t takes_us, at_least_us, at_most_us; /* -1: not said */
};

struct test_case {
    const char *name, *pointer;
    json input;
    int64_t now_us;
    struct stand_ins stand_ins;
    struct step *steps;
    size_t step_count;
    struct expectation expected;
};

struct case_file {
    struct yaml_document *yaml; /* owned */
    const char *workflow;       /* path, as it was written; NULL: the one of the same name */
    const char *with[WORKFLOWS_MAX];
    size_t with_count;
    const char *catalog;        /* path; NULL: none */
    json functions_described;   /* array of descriptions; invalid: none */
    json secrets, assistants;   /* objects; invalid: none */
    struct stand_ins stand_ins; /* for all cases, behind their own */
    struct test_case *cases;
    size_t count;
};

/** INVALID_ARGUMENT: findings, with line and column, are in `list`. */
status case_file_read(str text, struct arena *arena, struct diagnostics *list,
                      struct case_file *ret_file, struct error *reterr);
void case_file_done(struct case_file *file);

/* --- case_reader.c: for the files that read ----------------------------------------------------
 */

struct case_reader {
    struct arena *arena;
    const struct yaml_document *yaml;
    struct diagnostics *list;
};

/** A finding (T01: a key that is not known or missing, T02: a value of the wrong form). */
PRINTF_LIKE(4, 5)
void case_refuse(struct case_reader *reader, const char *pointer, const char *code,
                 const char *format, ...);

/** The pointer of a member or element; lives as long as the arena. */
const char *case_member(struct case_reader *reader, const char *pointer, str name);
const char *case_element(struct case_reader *reader, const char *pointer, size_t index);

/** Says whether `value` is a map with no other members than `names` (ends with NULL); NULL: any. */
bool case_is_map(struct case_reader *reader, const char *pointer, json value,
                 const char *const *names);
/** Says whether it is a list of at most `max`. */
bool case_is_list(struct case_reader *reader, const char *pointer, json value, size_t max);

/* A member of a map, if it is there; else what is named, and `pointer` of the map in findings. */
const char *case_text(struct case_reader *reader, const char *pointer, json map, const char *name);
int64_t case_duration(struct case_reader *reader, const char *pointer, json map, const char *name,
                      int64_t otherwise_us);
uint32_t case_number(struct case_reader *reader, const char *pointer, json map, const char *name,
                     uint32_t max);

void *case_alloc(struct case_reader *reader, size_t count, size_t size);

/** case_expected.c */
void case_read_expected(struct case_reader *reader, const char *pointer, json value,
                        struct expectation *expected);

#endif
