/**
 * reader: the core of reading a definition; internal to this layer.
 *
 * Every kind of object is a table of fields: key, function that reads the value, place of the
 * result in a struct. Unknown keys, missing keys and wrong types come out of this one mechanism, so
 * a file about a task says what the task has, and nothing about how that is checked.
 *
 * A reader walks the frozen definition and always knows the JSON pointer of the value at hand; the
 * YAML document turns pointers into lines and columns. Nothing fails: what is wrong becomes a
 * finding, the target keeps its default, and reading goes on, so that all findings come at once.
 */
#ifndef WORKFLOW_READER_H
#define WORKFLOW_READER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diagnostic.h"
#include "workflow/workflow.h"
#include "yaml/yaml.h"

#include <stdatomic.h>

enum {
    POINTER_MAX     = 8 << 10, /* bytes of a JSON pointer into a definition */
    SOURCE_MAX      = 4 << 20, /* bytes of a definition as canonical JSON, aliases expanded */
    EXPRESSIONS_MAX = 16'384,  /* per definition */
    SCOPE_MAX       = EXPR_VARIABLES_MAX - VARIABLE_STANDARD_COUNT,
    ARENA_MAX       = 512 << 20, /* bytes; what the limits above add up to is far below */
    SHOWN_MAX       = 60,        /* bytes of somebody's text in a message */
};

/** Where an expression stands decides which variables there are: section "Arguments" of the
 * language. The table is in expression_read.c. */
enum place {
    PLACE_INHERIT, /* in a field table: as in the enclosing object */
    PLACE_WORKFLOW_INPUT,
    PLACE_TASK_INPUT, /* `if`, `input.from` */
    PLACE_TASK,       /* the definition of a task, `timeout`, `metadata.tutti` */
    PLACE_TASK_OUTPUT,
    PLACE_TASK_EXPORT,
    PLACE_WORKFLOW_OUTPUT,
    PLACE_START_KEY, /* `idempotencyKey` of the document */
    PLACE_SCHEDULE,  /* `schedule.on`: no variables at all, not even secrets */
    PLACE_DOCUMENT,  /* how a document is read, before there is a run: secrets alone */
    PLACE_COUNT,
};

/** The variables of the enclosing tasks, outermost first. */
struct scope {
    const struct scope_variable *variables;
    uint32_t count;
};

/** What a workflow holds beyond its arena; freed with it. */
struct holding {
    struct holding *next;
    enum holding_kind { HOLDING_EXPR, HOLDING_REGEX, HOLDING_SCHEMA, HOLDING_JSON } kind;
    union {
        struct expr *expr;
        struct regex *regex;
        struct schema *schema;
        json value; /* frozen */
    };
};

/** The workflow with what keeps it alive. */
struct compiled {
    struct workflow workflow; /* first, so that the public pointer is this one's too */
    atomic_uint references;
    struct arena *arena; /* owned */
    struct holding *holdings;
};

struct draft;       /* task_read.h */
struct task_names;  /* task_read.h */
struct pending;     /* task_read.c */
struct definition;  /* use.h */
struct extension;   /* extension.h */
struct resolved;    /* catalog.h */
struct own_catalog; /* catalogs_read.c */
struct link;        /* link.h */
struct function_catalog;

/** A text that is read: the definition, or a document that it refers to. */
struct source {
    const struct yaml_document *yaml; /* NULL: a document that was pinned, or is not there */
    const char *url;                  /* NULL: the definition itself */

    /* Of another document: where it is referred to. Findings in it are shown there. */
    struct yaml_place where;
    const char *pointer;
};

struct reader {
    struct compiled *compiled;
    struct workflow *workflow;   /* = &compiled->workflow */
    struct arena *arena;         /* of the workflow: lives as long as it */
    struct arena *scratch;       /* for this reading only */
    struct source main;          /* the definition */
    const struct source *source; /* of the value at hand */
    struct diagnostics *list;
    struct diagnostics *notes; /* about other runtimes; NULL: nobody asked */
    bool is_loose;             /* `evaluate.mode`: texts without a wrapper are tried as well */
    size_t errors_before;      /* of others, in the list */

    struct buf pointer; /* of the value that is being read */
    enum place place;
    struct scope scope;
    struct draft *draft; /* the task that is being read; NULL in the document's own members */

    struct draft **drafts; /* in document order: index = task_index */
    uint32_t draft_count;
    uint32_t task_count;           /* drafts and those still to be read */
    struct task_names *root;       /* names of the outermost list */
    struct task_names *names;      /* all lists, newest first */
    struct pending *pending;       /* tasks still to be read, next one first */
    struct pending *children;      /* of the task that is being read */
    struct pending **children_end; /* where the next child is hooked in */

    struct definition *definitions; /* what `use` declares */
    struct extension *extensions;   /* likewise, in their order */
    size_t definition_count;
    const struct function_catalog *catalog;       /* borrowed; NULL: only what is built in */
    const struct workflow_assistants *assistants; /* borrowed; NULL: nobody can be asked */
    json pins;                    /* of a stored workflow: what names stood for; borrowed */
    struct resolved *resolved;    /* what `call` named so far */
    struct own_catalog *catalogs; /* of `use`, in their order */

    const struct document *documents; /* at hand; borrowed */
    size_t document_count;
    bool may_need;
    struct document_need **needs_end; /* where the next one is hooked in */
    struct link *links;               /* newest first */
    uint32_t link_count;
    size_t link_bytes;

    unsigned secret_use;         /* enum secret_use, of the expressions that are being read */
    uint64_t secrets_used;       /* by any expression */
    uint32_t secret_expressions; /* how many name secrets, or `$authorization` */
    uint32_t expression_count;
    size_t expression_bytes;
    bool is_too_long; /* a pointer did not fit: reported once */
};

/** Zeroed memory that lives as long as the workflow, or as this reading. Never NULL: the limits
 * above bound what a definition can ask for. */
void *reader_alloc(struct reader *reader, size_t count, size_t size);
void *scratch_alloc(struct reader *reader, size_t count, size_t size);

/** Makes the workflow own something. */
struct holding *reader_hold(struct reader *reader, enum holding_kind kind);

/** A frozen copy that is the workflow's own. */
status reader_copy(struct reader *reader, json value, json *ret_copy, struct error *reterr);

/** Steps to a member and back: `size_t back = pointer_enter(...); ...; pointer_leave(reader,
 * back)`. */
size_t pointer_enter(struct reader *reader, str key);
size_t pointer_enter_index(struct reader *reader, size_t index);
void pointer_leave(struct reader *reader, size_t back);

/** Goes to another place of the document for a while: a policy in `use` that is named here. */
struct jump {
    char *pointer; /* owned: where to return to */
};
struct jump pointer_jump(struct reader *reader, str pointer);
void pointer_return(struct reader *reader, struct jump *jump);

/** The place of the value at hand, of its key, of byte `offset` in its text. */
struct yaml_place value_place(const struct reader *reader);
struct yaml_place key_place(const struct reader *reader);
struct yaml_place text_place(const struct reader *reader, size_t offset);

/** Adds a finding of the value at hand; the same one twice counts once (then NULL). */
PRINTF_LIKE(4, 5)
struct diagnostic *refuse(struct reader *reader, const char *code, struct yaml_place where,
                          const char *format, ...);
PRINTF_LIKE(4, 5)
struct diagnostic *warn(struct reader *reader, const char *code, struct yaml_place where,
                        const char *format, ...);
PRINTF_LIKE(3, 4)
void hint(struct reader *reader, struct diagnostic *finding, const char *format, ...);

/** The fix of what is not there yet. */
#define ROADMAP_HINT "leave it out; docs/roadmap.md says what is planned"

/** "`schedule` is not supported yet", of the value at hand. */
void refuse_unsupported(struct reader *reader, const char *code, str what);

/** An expression and where it begins in the text at hand. */
struct program_text {
    str source;
    size_t offset;
};

/** A piece of somebody's text that is short enough for a message: cut at a character. */
str shown(str text);

/* --- tables ----------------------------------------------------------------------------------- */

typedef void field_read(struct reader *reader, json value, void *target);

/** What a field table says of a key, beside a `place` in which its expressions stand. */
enum field_flags { OPTIONAL = 0, REQUIRED = 1 << 8, PLACE_MASK = REQUIRED - 1 };

struct field {
    const char *key;
    field_read *read; /* NULL: the language knows it, we do not yet */
    size_t offset;    /* of the target in the struct that is filled */
    unsigned flags;   /* OPTIONAL or REQUIRED, and a place */
};

/** What people write instead. */
struct synonym {
    const char *wrong, *right;
};

struct object_kind {
    const char *what; /* "an HTTP call" */
    const struct field *fields;
    size_t field_count;
    const struct object_kind *base; /* further fields, read afterwards; NULL: none */
    const struct synonym *synonyms; /* ends with NULL */
    void (*finish)(struct reader *reader, void *object); /* rules over several fields; or NULL */
    const char *missing_code; /* of a required key that is not there; NULL: V06 */
};

/** Reads `value` into the struct at `object`; false if it is no map at all. */
bool object_read(struct reader *reader, const struct object_kind *kind, json value, void *object);

/** "a text", "a map", ... for messages. */
const char *kind_words(enum json_kind kind);

/** Says whether the value at hand has the kind; refuses it (V06) if not. */
bool expect_kind(struct reader *reader, json value, enum json_kind kind, const char *what);

/** Reads a map whose keys are free: `read` gets each value; the key is key_of(reader). */
void map_read(struct reader *reader, json value, const char *what, field_read *read, void *target);

/* --- single values ---------------------------------------------------------------------------- */

void text_read(struct reader *reader, json value, void *target);    /* const char ** */
void boolean_read(struct reader *reader, json value, void *target); /* bool * */

/** A whole number from `min` to `max`; false and a finding if it is not one. */
bool integer_read(struct reader *reader, json value, int64_t min, int64_t max, int64_t *ret_value);

/** One of `count` texts; false and a finding (V06) if it is none of them. */
bool choice_read(struct reader *reader, json value, const char *const *names, size_t count,
                 size_t *ret_index);

#endif
