/*
 * A compiled schema: nodes with rules.
 *
 * A node is one schema object (or true, or false); a rule is one of its keywords, with its
 * subschemas as nodes. Everything lives in the schema's arena. The graph has cycles, by $ref.
 */
#ifndef SCHEMA_SCHEMA_INTERNAL_H
#define SCHEMA_SCHEMA_INTERNAL_H

#include "base/assert.h"
#include "base/buf.h"
#include "base/map.h"
#include "expr/regex.h"
#include "schema/schema.h"

/*
 * In the order in which they are checked: values first, since they are cheap; what looks at what
 * others have seen, last. Keywords without a check (titles, $defs and so on) follow.
 */
enum keyword {
    KEYWORD_TYPE,
    KEYWORD_ENUM,
    KEYWORD_CONST,
    KEYWORD_MULTIPLE_OF,
    KEYWORD_MAXIMUM,
    KEYWORD_EXCLUSIVE_MAXIMUM,
    KEYWORD_MINIMUM,
    KEYWORD_EXCLUSIVE_MINIMUM,
    KEYWORD_MAX_LENGTH,
    KEYWORD_MIN_LENGTH,
    KEYWORD_PATTERN,
    KEYWORD_FORMAT,
    KEYWORD_MAX_ITEMS,
    KEYWORD_MIN_ITEMS,
    KEYWORD_UNIQUE_ITEMS,
    KEYWORD_MAX_PROPERTIES,
    KEYWORD_MIN_PROPERTIES,
    KEYWORD_REQUIRED,
    KEYWORD_DEPENDENT_REQUIRED,
    KEYWORD_REF,
    KEYWORD_DYNAMIC_REF,
    KEYWORD_PREFIX_ITEMS,
    KEYWORD_ITEMS,
    KEYWORD_ADDITIONAL_ITEMS,
    KEYWORD_CONTAINS,
    KEYWORD_PROPERTIES,
    KEYWORD_PATTERN_PROPERTIES,
    KEYWORD_ADDITIONAL_PROPERTIES,
    KEYWORD_PROPERTY_NAMES,
    KEYWORD_DEPENDENT_SCHEMAS,
    KEYWORD_DEPENDENCIES,
    KEYWORD_ALL_OF,
    KEYWORD_ANY_OF,
    KEYWORD_ONE_OF,
    KEYWORD_NOT,
    KEYWORD_IF,
    KEYWORD_UNEVALUATED_ITEMS,
    KEYWORD_UNEVALUATED_PROPERTIES,
    KEYWORD_CHECKED, /* so many have a check */
    KEYWORD_THEN = KEYWORD_CHECKED,
    KEYWORD_ELSE,
    KEYWORD_MAX_CONTAINS,
    KEYWORD_MIN_CONTAINS,
    KEYWORD_EXCLUDES_MAXIMUM, /* says of `maximum` that it is exclusive */
    KEYWORD_EXCLUDES_MINIMUM,
    KEYWORD_DEFS,
    KEYWORD_DEFINITIONS,
    KEYWORD_SCHEMA,
    KEYWORD_ID,
    KEYWORD_ANCHOR,
    KEYWORD_DYNAMIC_ANCHOR,
    KEYWORD_VOCABULARY,
    KEYWORD_COMMENT,
    KEYWORD_TITLE,
    KEYWORD_DESCRIPTION,
    KEYWORD_DEFAULT,
    KEYWORD_DEPRECATED,
    KEYWORD_READ_ONLY,
    KEYWORD_WRITE_ONLY,
    KEYWORD_EXAMPLES,
    KEYWORD_CONTENT_ENCODING,
    KEYWORD_CONTENT_MEDIA_TYPE,
    KEYWORD_CONTENT_SCHEMA,
    KEYWORD_COUNT,
};

/** What the value of a keyword looks like. */
enum shape {
    SHAPE_ANY,
    SHAPE_TEXT,
    SHAPE_BOOL,
    SHAPE_NUMBER,
    SHAPE_POSITIVE,  /* number */
    SHAPE_COUNT,     /* whole number, not negative */
    SHAPE_TYPES,     /* name of a type, or a list of them */
    SHAPE_LIST,      /* any list */
    SHAPE_NAMES,     /* list of different texts */
    SHAPE_NAMES_MAP, /* map to such lists */
    SHAPE_BOOL_MAP,  /* map to booleans */
    SHAPE_PATTERN,   /* regular expression */
    SHAPE_SCHEMA,
    SHAPE_SCHEMA_LIST,    /* at least one */
    SHAPE_SCHEMA_OR_LIST, /* one for all, or one for each */
    SHAPE_SCHEMA_MAP,
    SHAPE_PATTERN_MAP,    /* schemas by regular expression */
    SHAPE_DEPENDENCY_MAP, /* map to schemas, or to lists of different texts */
};

enum vocabulary {
    VOCABULARY_CORE          = 1,
    VOCABULARY_APPLICATOR    = 2,
    VOCABULARY_UNEVALUATED   = 4,
    VOCABULARY_VALIDATION    = 8,
    VOCABULARY_META_DATA     = 16,
    VOCABULARY_FORMAT        = 32,
    VOCABULARY_CONTENT       = 64,
    VOCABULARY_FORMAT_ASSERT = 128,
    VOCABULARY_DEFAULT       = 127,
};

/** The versions of the standard that are known, the oldest first. */
enum draft {
    DRAFT_4,
    DRAFT_6,
    DRAFT_7,
    DRAFT_2019_09,
    DRAFT_2020_12,
    DRAFT_COUNT,
    DRAFT_DEFAULT = DRAFT_2020_12, /* of a schema that does not say */
};

/*
 * How a draft writes a keyword. A keyword is what it does, under the name that it has today: where
 * an older draft writes `items: [...]`, that is KEYWORD_PREFIX_ITEMS.
 */
struct keyword_info {
    const char *name;
    enum keyword keyword;
    enum shape shape;
    enum vocabulary vocabulary;
    enum draft since;
    enum draft until;
};

extern const struct keyword_info schema_keywords[];
extern const size_t schema_keyword_count;

/*
 * What `$schema` decides: which keywords there are, and how what surrounds them is read. A
 * meta-schema of somebody's own gets a copy with its vocabularies.
 */
struct schema_dialect {
    enum draft draft;
    const char *name; /* in sentences */
    const char *uri;  /* without fragment */
    unsigned vocabularies;
    bool ref_is_alone;     /* what stands beside a `$ref` checks nothing and names nothing */
    bool id_has_anchor;    /* `$id: "#name"` names a subschema */
    bool contains_is_seen; /* by `unevaluatedItems` */
    enum draft meta_draft; /* that the meta-schema of schema_meta_new() is written in */
    const char *self[2];   /* how it refers to the meta-schema in force: keyword and value */
};

extern const struct schema_dialect schema_dialects[DRAFT_COUNT];

/** By the value of `$schema`, or the URI of a meta-schema. NULL: none of the standard. */
const struct schema_dialect *schema_dialect_find(str uri);

/** The bits of a vocabulary; 0 if it is not known. */
unsigned schema_vocabulary_bits(str uri, bool is_required);

bool schema_keyword_is_of(const struct keyword_info *info, const struct schema_dialect *dialect);

/** NULL if a dialect has no keyword of this name. */
const struct keyword_info *schema_keyword_find(const struct schema_dialect *dialect, str name);

/** The meta-schema, made of the tables: what `$ref` to its URI gets. Owned. */
json schema_meta_new(const struct schema_dialect *dialect);

struct schema_node;
struct schema_format;

struct schema_rule {
    const struct keyword_info *info; /* how it is written here */
    enum keyword keyword;            /* what it does */
    json value;                      /* a view of the source */
    struct schema_node **nodes;      /* one, or one for each entry or member of `value` */
    uint32_t node_count;
    uint32_t types;         /* of `type`: bits of enum schema_type */
    struct regex **regexes; /* of a pattern: one, or one for each member */
    const struct schema_format *format;
    const char *dynamic_anchor; /* of a $dynamicRef that looks at the dynamic scope; else NULL */
};

/* What a URI names, with the anchors that a $dynamicRef may find in it; "" is the anchor of
 * `$recursiveAnchor: true`. */
struct schema_anchor {
    const char *name;
    struct schema_node *node;
    struct schema_anchor *next;
};

struct schema_resource {
    const char *uri; /* without fragment */
    struct schema_node *root;
    struct schema_anchor *dynamic_anchors;
};

struct schema_node {
    const char *pointer; /* in its document */
    uint32_t document;   /* 0: the source */
    struct schema_resource *resource;
    const struct schema_dialect *dialect;
    json value;
    struct schema_rule *rules; /* in the order of enum keyword */
    uint32_t rule_count;
    uint8_t at[KEYWORD_COUNT]; /* index of the keyword's rule + 1 */
    struct schema_node *next;  /* to be scanned */
};

struct schema_regex {
    struct regex *regex;
    struct schema_regex *next;
};

struct schema_owned {
    json value;
    struct schema_owned *next;
};

struct schema {
    struct arena *arena;         /* owned */
    struct schema_owned *values; /* owned: the documents */
    struct schema_regex *regexes;
    struct schema_node *root;
    bool has_unevaluated; /* somebody asks what others have seen */
};

static inline const struct schema_rule *schema_rule_of(const struct schema_node *node,
                                                       enum keyword keyword)
{
    return node->at[keyword] ? &node->rules[node->at[keyword] - 1] : NULL;
}

enum schema_type {
    SCHEMA_NULL    = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_INTEGER = 4,
    SCHEMA_NUMBER  = 8, /* not whole */
    SCHEMA_STRING  = 16,
    SCHEMA_ARRAY   = 32,
    SCHEMA_OBJECT  = 64,
};

/** The bits for a name of JSON Schema ("number" is both); 0 if there is no such type. */
uint32_t schema_type_bits(str name);
uint32_t schema_type_of(json value);

/* --- compiling: state shared by compile.c (nodes), scan.c, shape.c and refer.c (documents) -----
 */

struct pending_ref {
    struct schema_node *node;
    struct schema_rule *rule;
    struct pending_ref *next;
};

struct compiler {
    struct schema *schema;
    const struct schema_options *options;
    struct diagnostics *list; /* borrowed; may be NULL */
    struct map *nodes;        /* by document number and pointer */
    struct map *resources;    /* by URI */
    struct map *anchors;      /* by URI#name */
    struct schema_node *to_scan;
    struct pending_ref *to_refer;
    uint32_t node_count;
    uint32_t document_count;
    status code; /* of the first failure */
    struct error first;
};

/** A finding at a keyword of a node ("": at the node itself). */
PRINTF_LIKE(5, 6)
void compiler_found(struct compiler *compiler, const struct schema_node *node, status code,
                    str name, const char *format, ...);

/** Zeroed memory, or NULL after a finding. */
void *compiler_alloc(struct compiler *compiler, size_t size);

/** A text or a name that lives as long as the schema; NULL after a finding. */
const char *compiler_keep(struct compiler *compiler, str text);

/** Puts a name into one of the maps. False after a finding: the map is full. */
bool compiler_remember(struct compiler *compiler, struct map *map, str name, void *value);

/** Says whether the value of a keyword has its shape; adds a finding if not. */
bool compiler_check_shape(struct compiler *compiler, const struct schema_node *node,
                          const struct keyword_info *info, json value);

/** The node at `pointer` of a document: made, with resource and dialect as `around` has them, and
 * queued to be scanned, if it is new. NULL after a finding. */
struct schema_node *compiler_node(struct compiler *compiler, uint32_t document, str pointer,
                                  json value, const struct schema_node *around);

/** The document of a URI that the caller has put into the options; JSON_INVALID: there is none. */
json compiler_option_document(const struct compiler *compiler, str uri);

/** Adds a document and scans its root. Borrows `value`. Without `$schema` it is of `dialect`. */
struct schema_node *compiler_add_document(struct compiler *compiler, const char *uri, json value,
                                          const struct schema_dialect *dialect);

/** Gives `node` the dialect that its `$schema` names, if it has one. */
void compiler_choose_dialect(struct compiler *compiler, struct schema_node *node);

/** Notes the resource or the anchors that a keyword of `node` names. */
void compiler_name(struct compiler *compiler, struct schema_node *node,
                   const struct keyword_info *info, json value);

void compiler_scan_all(struct compiler *compiler);
void compiler_refer(struct compiler *compiler, struct pending_ref *ref);

/* --- formats -----------------------------------------------------------------------------------
 */

/* Of ours, and always checked: schemas of others do not know it. css/selector.h says what it is. */
#define SCHEMA_FORMAT_SELECTOR "css-selector"

struct schema_format {
    const char *name;
    bool (*check)(str text);
    const char *sentence; /* "must be an e-mail address" */
};

/** NULL if it is not known. */
const struct schema_format *schema_format_find(str name);

bool schema_is_uri(str text);
bool schema_is_uri_reference(str text);
bool schema_is_iri(str text);
bool schema_is_iri_reference(str text);

/* --- checking: state shared by check*.c --------------------------------------------------------
 */

/* Which resources the evaluation went through, innermost first. */
struct schema_scope {
    const struct schema_scope *outer;
    const struct schema_resource *resource;
};

struct schema_check {
    const struct schema *schema;
    struct arena *arena;
    struct schema_errors *errors;
    struct buf pointer; /* of the value that is looked at */
    const struct schema_scope *scope;
    uint32_t quiet; /* > 0: trying; nobody wants to know why not */
    uint32_t depth;
    uint64_t steps;
    status code; /* not OK: it is over */
    struct error *reterr;
};

/* The members or items of one value that a subschema has accepted. */
struct schema_seen {
    uint8_t *flags; /* owned; NULL: nobody asks */
    size_t count;
};

/* One node applied to one value. */
struct schema_frame {
    const struct schema_node *node;
    json value;
    struct schema_seen seen;
};

/** Applies `node` to `value`. `seen` (NULL: another value than the caller's) gets what it saw. */
bool schema_apply(struct schema_check *check, const struct schema_node *node, json value,
                  struct schema_seen *seen);

/** The same without a word, for alternatives. */
bool schema_try(struct schema_check *check, const struct schema_node *node, json value,
                struct schema_seen *seen);

/** The same for a member or an item, with its pointer. */
bool schema_apply_at(struct schema_check *check, const struct schema_node *node,
                     const struct schema_frame *frame, size_t index);

void schema_see(struct schema_frame *frame, size_t index);

/** Notes a violation, unless the check is quiet, and returns false. */
PRINTF_LIKE(4, 5)
bool schema_violated(struct schema_check *check, const struct schema_node *node,
                     enum keyword keyword, const char *format, ...);

typedef bool schema_rule_check(struct schema_check *check, struct schema_frame *frame,
                               const struct schema_rule *rule);

schema_rule_check schema_check_type, schema_check_enum, schema_check_const,
    schema_check_multiple_of, schema_check_maximum, schema_check_exclusive_maximum,
    schema_check_minimum, schema_check_exclusive_minimum, schema_check_max_length,
    schema_check_min_length, schema_check_pattern, schema_check_format, schema_check_max_items,
    schema_check_min_items, schema_check_unique_items, schema_check_max_properties,
    schema_check_min_properties, schema_check_required, schema_check_dependent_required,
    schema_check_ref, schema_check_dynamic_ref, schema_check_prefix_items, schema_check_items,
    schema_check_additional_items, schema_check_contains, schema_check_properties,
    schema_check_pattern_properties, schema_check_additional_properties,
    schema_check_property_names, schema_check_dependent_schemas, schema_check_dependencies,
    schema_check_all_of, schema_check_any_of, schema_check_one_of, schema_check_not,
    schema_check_if, schema_check_unevaluated_items, schema_check_unevaluated_properties;

/** A number as text, for sentences. */
struct schema_number {
    char text[48];
};
struct schema_number schema_number_text(json number);

/** Whether `number` is a multiple of `divisor`, exactly, in decimal. */
bool schema_is_multiple(json number, json divisor);

#endif
