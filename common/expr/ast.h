/*
 * ast: a parsed expression.
 *
 * Nodes live in the arena of the compilation, and so do their texts. Lists (the stages of a pipe,
 * the branches of a comma, the parts of a string, arguments, members) are chained by `next`, so
 * that long programs do not become deep ones: only brackets and operators nest.
 */
#ifndef EXPR_AST_H
#define EXPR_AST_H

#include "base/str.h"
#include "json/json.h"

#include <stdint.h>

enum node_kind {
    NODE_IDENTITY,    /* . */
    NODE_NUMBER,      /* number */
    NODE_TEXT,        /* name: a string without interpolation */
    NODE_STRING,      /* list: parts; name: format or "" */
    NODE_FORMAT,      /* @name */
    NODE_INDEX,       /* a[b] */
    NODE_SLICE,       /* a[b:c]; b and c may be NULL */
    NODE_EACH,        /* a[] */
    NODE_NEGATE,      /* -a */
    NODE_PIPE,        /* list */
    NODE_COMMA,       /* list */
    NODE_BINARY,      /* a op b */
    NODE_AND,         /* a and b */
    NODE_OR,          /* a or b */
    NODE_ALTERNATIVE, /* a // b */
    NODE_ASSIGN,      /* a = b, a |= b, a op= b */
    NODE_ARRAY,       /* [a]; a may be NULL */
    NODE_OBJECT,      /* list of NODE_MEMBER */
    NODE_MEMBER,      /* a: b; b NULL: the field that a names */
    NODE_REDUCE,      /* reduce a as patterns (b; c) */
    NODE_FOREACH,     /* foreach a as patterns (b; c; d); d may be NULL */
    NODE_IF,          /* if a then b else c; c may be NULL */
    NODE_TRY,         /* try a catch b; b may be NULL */
    NODE_LABEL,       /* label $name | a */
    NODE_BREAK,       /* break $name */
    NODE_VARIABLE,    /* $name */
    NODE_CALL,        /* name(list); count arguments */
    NODE_DEF,         /* def; a */
    NODE_AS,          /* a as patterns | b */
    NODE_LOCATION,    /* $__loc__; number is the line */
};

enum binary_op {
    BINARY_ADD,
    BINARY_SUBTRACT,
    BINARY_MULTIPLY,
    BINARY_DIVIDE,
    BINARY_MODULO,
    BINARY_EQUAL,
    BINARY_NOT_EQUAL,
    BINARY_LESS,
    BINARY_LESS_EQUAL,
    BINARY_GREATER,
    BINARY_GREATER_EQUAL,
};

enum assign_op { /* the arithmetic ones are ASSIGN_ADD + binary_op */
                 ASSIGN_SET,
                 ASSIGN_UPDATE,
                 ASSIGN_ALTERNATIVE,
                 ASSIGN_ADD,
};

struct node {
    uint8_t kind;
    uint8_t op;
    uint16_t height; /* levels below */
    uint32_t offset; /* bytes into the source */
    uint32_t count;  /* of a list */
    json number;
    str name;
    struct node *next; /* in the list that holds this node */
    struct node *list;
    struct node *a;
    struct node *b;
    struct node *c;
    struct node *d;
    struct pattern *patterns; /* alternatives */
    struct def *def;
};

enum pattern_kind { PATTERN_VARIABLE, PATTERN_ARRAY, PATTERN_OBJECT };

struct pattern {
    enum pattern_kind kind;
    uint32_t offset;
    str name;               /* of the variable */
    struct pattern *list;   /* elements of an array */
    struct member *members; /* of an object */
    struct pattern *next;   /* in an array, or the next alternative */
};

/* A member of an object pattern: `$name`, `$name: value`, `key: value`. */
struct member {
    struct node *key;
    str variable; /* "" if it is not `$name` */
    uint32_t offset;
    struct pattern *value; /* NULL if it is only `$name` */
    struct member *next;
};

struct param {
    str name;
    bool is_value; /* $name */
    struct param *next;
};

struct def {
    str name;
    uint32_t arity;
    uint32_t offset;
    uint32_t size;     /* nodes */
    bool is_recursive; /* as far as names tell */
    struct param *params;
    struct node *body;
    struct def *outer; /* while it is parsed: the definition around it */
};

#endif
