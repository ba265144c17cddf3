/**
 * compile: readers of what becomes executable: expressions, templates, durations, schemas.
 * Internal to this layer. Targets are the fields of workflow.h; a finding leaves them as they are.
 */
#ifndef WORKFLOW_COMPILE_H
#define WORKFLOW_COMPILE_H

#include "workflow/reader.h"

/* --- expressions (expression_read.c) ---------------------------------------------------------- */

/** Compiles `source`, which starts at byte `offset` of the text at hand, for the reader's place and
 * scope. NULL and findings (V20, V21, V22, V41) if that does not work. */
const struct expression *expression_compile(struct reader *reader, str source, size_t offset);

/** Says, without findings, whether `source` is a program with variables that are available here. */
bool expression_compiles(struct reader *reader, str source);

/** A text that is always an expression, wrapped in `${ }` or not: const struct expression **. */
void expression_read(struct reader *reader, json value, void *target);

/** The same where the value of the expression is kept, not only its truth. */
void expression_value_read(struct reader *reader, json value, void *target);

/** Says how `$name` should be written, or what to use instead; NULL if there is nothing to say. */
const char *variable_advice(str name);

/** Where a program mentions a standard variable, with this member if it is not empty. */
struct yaml_place member_place(const struct reader *reader, const struct program_text *text,
                               enum variable variable, str member);

/* --- where an expression is in a text (expression_text.c) ------------------------------------- */

/** What a text of a template is. */
struct text_form {
    enum text_kind {
        TEXT_LITERAL,
        TEXT_EXPRESSION, /* the whole text is `${ ... }` */
        TEXT_REFUSED,    /* neither: a finding says why (V23, V24, V25) */
    } kind;
    str source;    /* between the braces */
    size_t offset; /* of `source` in the text */
};

/** Looks at the text at hand; also warns of what looks like a forgotten wrapper (V40). */
struct text_form text_form_of(struct reader *reader, str text);

/** The same where every text is an expression: only the wrapper is taken off. */
struct text_form text_form_always(struct reader *reader, str text);

/** Says, without findings, whether a value is a text in `${ }`. */
bool is_expression(json value);

/** The same of the value and everything in it. */
bool holds_expression(json value);

/* --- templates (template_read.c) -------------------------------------------------------------- */

/** Any value: const struct template **. */
void template_read(struct reader *reader, json value, void *target);

/** `from` and `as`: a text is always an expression, a map is evaluated leaf by leaf. */
void transform_read(struct reader *reader, json value, void *target);

/** A text, or an expression that yields one. */
void template_text_read(struct reader *reader, json value, void *target);

/** A map, or an expression that yields one. */
void template_map_read(struct reader *reader, json value, void *target);

/** A map; its members may be expressions. */
void template_object_read(struct reader *reader, json value, void *target);

/** A list of texts, each of which may be an expression. */
void texts_list_read(struct reader *reader, json value, void *target);

/** Says whether the text at hand is an absolute URI, with {name} parts at most; else a finding. */
bool uri_check(struct reader *reader, json value);

/** A URI with {name} parts, or an expression. */
void template_uri_read(struct reader *reader, json value, void *target);

/** A text in `${ }`; anything else is refused. */
void template_expression_read(struct reader *reader, json value, void *target);

const struct template *template_of_expression(struct reader *reader,
                                              const struct expression *expression);
const struct template *template_of_constant(struct reader *reader, json constant);

/** A map with these members; those that are NULL are left out. */
struct template_member {
    const char *key;
    const struct template *value;
};
const struct template *template_of_members(struct reader *reader,
                                           const struct template_member *members, size_t count);

/** The constant that `template` is, in one piece; NULL: it is none, or over `size_max` bytes. */
const struct template *template_fold(struct reader *reader, const struct template *template,
                                     size_t size_max);

/** Reads a map by a table in which every target is a `const struct template *`, and makes a map of
 * what it found. NULL after a finding if `value` is no map. `object` is the struct of the table. */
const struct template *template_of_table(struct reader *reader, const struct object_kind *kind,
                                         json value, void *object);

/* --- others ----------------------------------------------------------------------------------- */

/** struct duration *: fixed, or `${ }`. */
void span_read(struct reader *reader, json value, void *target);

/** struct duration *: `{after: ...}` or the name of one in `use.timeouts`. */
void timeout_read(struct reader *reader, json value, void *target);

/** const struct schema **: `{format, document}`. */
void schema_read(struct reader *reader, json value, void *target);

/** struct error_filter *: `errors.with`. */
void error_filter_read(struct reader *reader, json value, void *target);

/** struct error_template *: an error, or the name of one in `use.errors`. */
void error_read(struct reader *reader, json value, void *target);

/** const struct retry_rule **: a policy, or the name of one in `use.retries`. */
void retry_read(struct reader *reader, json value, void *target);

/** const struct template **: `{use: name}` or inline, `{basic: ...}` and the other kinds. */
void authentication_read(struct reader *reader, json value, void *target);

/** Where something is. NULL: not given. */
struct endpoint {
    const struct template *uri, *authentication;
};

/** What people write for the members of an endpoint, and of a resource. */
extern const struct synonym endpoint_synonyms[];
extern const struct synonym resource_synonyms[];

/** struct endpoint *: a URI, an expression, or `{uri, authentication}`. */
void endpoint_read(struct reader *reader, json value, void *target);

/** `{uri, authentication?}`. */
const struct template *template_of_endpoint(struct reader *reader, const struct endpoint *endpoint);

/** const struct template **: `{name?, endpoint}`, becomes `{name?, endpoint: {uri, ...}}`. */
void resource_read(struct reader *reader, json value, void *target);

/** Says whether the attribute `name` of a CloudEvent may have this value, which is at hand; else a
 * finding. A filter may hold patterns. */
bool event_attribute_check(struct reader *reader, str name, json value, bool is_filter);

/** const struct template **: a map of texts, or an expression that yields one; `what` for the
 * message ("header"). */
void texts_read(struct reader *reader, json value, const char *what,
                const struct template **target);

/** Makes it that of the call at hand, so that `$authorization` knows it; NULL is fine. */
void authentication_set(struct reader *reader, const struct template *authentication);

#endif
