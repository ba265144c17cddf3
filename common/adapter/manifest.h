/**
 * manifest: an adapter as data: what an API can do, how it is asked, how its answers are read, and
 * how what was done is undone. Format `tutti/adapter/v1` (docs/reference/adapters.md).
 *
 * A manifest is checked whole when it is read: its shape (manifest.schema.yaml), every expression,
 * the rules between actions, and that its examples render. What is wrong becomes findings with line
 * and column, all at once; a manifest with errors is not used.
 *
 * Immutable once read: any thread. Its texts and values live as long as it, and so do values that
 * its formulas yield, since they share parts of it.
 */
#ifndef ADAPTER_MANIFEST_H
#define ADAPTER_MANIFEST_H

#include "adapter/formula.h"
#include "adapter/jwt.h"
#include "base/diagnostic.h"
#include "base/status.h"
#include "schema/schema.h"
#include "workflow/function_catalog.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MANIFEST_SIZE_MAX    = 512 << 10, /* bytes */
    MANIFEST_ACTIONS_MAX = 256,
    MANIFEST_STEPS_MAX   = 16,    /* requests of one action */
    RATE_BUDGETS_MAX     = 8,     /* of a manifest, or a connection */
    MANIFEST_CONNECT_MS  = 5'000, /* the defaults */
    MANIFEST_TOTAL_MS    = 30'000,
    MANIFEST_ANSWER_MAX  = 10 << 20, /* bytes, decompressed */
};

/** What an answer, or its absence, means for the job (outcome.h). */
enum outcome_class {
    OUTCOME_OK,
    OUTCOME_TRANSIENT,
    OUTCOME_THROTTLED,
    OUTCOME_UNKNOWN, /* a write was sent, and nobody knows whether it was done */
    OUTCOME_AUTH,
    OUTCOME_NOT_FOUND,
    OUTCOME_CONFLICT,
    OUTCOME_INVALID,
    OUTCOME_FATAL,
    OUTCOME_CLASS_COUNT,
};

/** A map of formulas, in the manifest's order. */
struct named_formula {
    const char *name;
    struct formula *formula;
};
struct formula_map {
    struct named_formula *items;
    size_t count;
};

struct secret_slot {
    const char *name, *description;
    bool is_optional;
    bool is_shown; /* `hidden: false`: it belongs into outputs, such as signed addresses */
};

enum auth_kind {
    AUTH_NONE,
    AUTH_BEARER, /* secret, prefix */
    AUTH_BASIC,  /* user, secret = password */
    AUTH_HEADER, /* name, secret, prefix */
    AUTH_QUERY,  /* name, secret */
    AUTH_PATH,   /* secret: `{secret}` in base_url */
    AUTH_JWT,
    AUTH_OAUTH2,
    AUTH_SIGV4,
    AUTH_HMAC,
};

/** How the text of a secret becomes a key. */
enum secret_form { SECRET_TEXT, SECRET_HEX, SECRET_BASE64, SECRET_PEM };

struct manifest_auth {
    enum auth_kind kind;
    const char *secret; /* name of a slot; NULL: none */
    const char *prefix; /* "Bearer" */
    const char *name;   /* of the header or query parameter */
    struct formula *user;
    json settings; /* the section as it stands, for kinds with more */

    enum jwt_algorithm algorithm; /* AUTH_JWT, and what follows */
    enum secret_form secret_form;
    struct formula *header, *claims; /* maps; NULL: none */
    int64_t ttl_ms;

    struct formula *service, *region;                    /* AUTH_SIGV4 */
    const char *access_key, *secret_key, *session_token; /* slots; the last may be NULL */

    struct formula *token_url, *client_id;  /* AUTH_OAUTH2 */
    const char *client_secret, *client_key; /* slots; one of them is NULL */
    struct formula *client_key_id;          /* NULL: the key has no name */
    const char *refresh_token;              /* a slot; NULL: client_credentials */
    json scopes;
    bool is_posted; /* the client's secret stands in the body, not in a header */

    bool is_standard, is_base64; /* AUTH_HMAC: Standard Webhooks; else hexadecimal */
    struct formula *over;        /* NULL: `is_standard` */
    json headers;                /* name to text with {signature}, {time}, {id} */
};

struct error_rule {
    struct formula *when;
    enum outcome_class class;
};

enum request_kind {
    REQUEST_HTTP,
    REQUEST_GRAPHQL,
    REQUEST_SMTP,
    REQUEST_BROWSER,
    REQUEST_MCP,
    REQUEST_BUILTIN,
};

struct manifest_request {
    enum request_kind kind;
    const char *method;        /* POST if `method_by` says which */
    struct formula *method_by; /* NULL: `method` */
    const char *path;          /* template; NULL: `url` */
    struct formula *url;       /* the whole address */
    struct formula *query;     /* a map; NULL: none, as all that follows */
    struct formula *headers;   /* a map */
    struct formula *body;      /* JSON; of GraphQL the variables; of other engines their settings */
    struct formula *form;
    const char *body_blob; /* name of a parameter */
    const char *content_type;
    const char *document; /* GraphQL's; a builtin's or engine's function */
};

struct manifest_action;

/** Another action of the same manifest with its parameters. */
struct action_call {
    const char *name;
    const struct manifest_action *action; /* set once all are read */
    struct formula *condition;            /* NULL: always */
    struct formula *each;                 /* of a compensation; NULL: once */
    struct formula *with;                 /* a map */
    struct formula *found;                /* of a lookup */
};

struct action_calls {
    struct action_call *items;
    size_t count;
};

/** One request of an action with what belongs to it alone. */
struct manifest_step {
    const char *id; /* NULL: the action has only this one */
    struct formula *condition;
    struct manifest_request request;
    struct formula *ok_when; /* NULL: as the action says */
    struct formula *output;
    struct action_calls compensate; /* of this step alone */
    bool has_auth;                  /* `auth` stands for the action's */
    struct manifest_auth auth;
};

enum pagination_kind {
    PAGES_LINK_HEADER,
    PAGES_NEXT_URL,
    PAGES_CURSOR,
    PAGES_OFFSET,
    PAGES_NUMBER, /* `page` */
};

struct pagination {
    const char *name;
    enum pagination_kind kind;
    const char *rel;
    struct formula *next, *stop_when;
    const char *in; /* "query", "body", "variables" */
    const char *param;
    int64_t start;
    const char *page_size_param; /* NULL: none */
    int64_t page_size;
    int64_t pages_max;
};

/** How an action is done once. */
struct idempotency {
    enum function_idempotency kind; /* NATURAL for reads */
    bool is_given;
    bool is_in_body;       /* KEY: in the body, not a header */
    const char *name;      /* KEY: of the header, or the member of the body */
    struct formula *value; /* NULL: the SHA-256 of the job's key */
    int64_t ttl_ms;
    struct action_calls lookup;
    struct formula *skip_when, *output;
    struct formula *expression; /* VARIES: yields "natural" or "none" */
};

enum derivation_kind {
    DERIVE_SHA256,
    DERIVE_UUID5,
    DERIVE_BASE64,
    DERIVE_HMAC,
    DERIVE_PRESIGN, /* `text` yields {url, method, expires} */
};

struct derivation {
    const char *name;
    enum derivation_kind kind;
    struct formula *text;
    const char *secret; /* DERIVE_HMAC: name of a slot */
};

enum response_form { RESPONSE_AUTO, RESPONSE_JSON, RESPONSE_TEXT, RESPONSE_XML, RESPONSE_BLOB };

struct manifest_action {
    const struct manifest *manifest;
    const char *name, *summary, *description;
    json aliases; /* texts; JSON_INVALID: none */
    enum function_effect effect;
    const char *irreversible; /* why; NULL: it can be undone */

    json params; /* JSON Schema of the parameters, common ones included, closed; frozen */
    struct schema *params_schema;
    struct formula_map defaults; /* in the order of declaration */

    struct derivation *derive;
    size_t derive_count;
    bool has_before;
    struct action_call before;
    struct manifest_step *steps;
    size_t step_count;
    const struct pagination *pagination; /* NULL: one page */
    struct formula *items_max;
    struct formula *ok_when; /* NULL: the manifest's */
    struct error_rule *errors;
    size_t error_count;
    int64_t connect_ms, total_ms;
    bool has_auth;
    struct manifest_auth auth;
    enum response_form response;
    struct formula *output;
    json output_schema;          /* JSON_INVALID: names only */
    struct schema *output_check; /* of `output_schema`; NULL: none */
    struct idempotency idempotency;
    struct action_calls compensate;
    int64_t cache_ms; /* 0: not kept */
    struct formula *cache_key;
    json example;
};

/** A finer limit: of some actions together, or of them for each value of `key`. */
struct rate_budget {
    json actions;        /* their names; a view of what it was read from */
    struct formula *key; /* NULL: there is one of it */
    int64_t concurrency; /* 0: not said, as all that follows */
    int64_t rate_count, rate_per_ms;
    int64_t burst;
};

struct rate_limit {
    int64_t concurrency;             /* 0: not said, as all that follows */
    int64_t rate_count, rate_per_ms; /* `3/s` */
    int64_t burst;
    int64_t min_gap_read_ms, min_gap_write_ms;
    struct rate_budget *budgets;
    size_t budget_count;
    int64_t wait_max_ms;
    const char *remaining;            /* header */
    const char *reset, *reset_format; /* header */
    const char *retry_after, *retry_after_format;
    struct formula *retry_after_value;
};

struct manifest {
    const char *name, *version, *title, *docs;
    uint32_t major;
    json root; /* the manifest as it was written; frozen */
    const char *implements;
    json aliases; /* texts: more names of the adapter; JSON_INVALID: none */
    json config;  /* properties of the settings; JSON_INVALID: none */
    struct schema *config_schema;
    struct formula_map config_defaults;
    struct secret_slot *secrets;
    size_t secret_count;
    struct manifest_auth auth;
    struct formula *base_url; /* NULL: no HTTP requests */
    struct formula *headers;
    const char *content_type;
    int64_t connect_ms, total_ms;
    int64_t answer_max;                      /* bytes */
    const char *tls_ca, *tls_cert, *tls_key; /* slots; NULL: as everybody */
    const char *proxy;                       /* slot of its URL; NULL: none */
    struct formula *ok_when, *error_message;
    struct error_rule *errors;
    size_t error_count;
    struct rate_limit rate_limit;
    struct pagination *paginations;
    size_t pagination_count;
    struct manifest_action *actions;
    size_t action_count;
    const struct manifest_action *check; /* the read that tries a connection; NULL: none is named */
    struct formula *account; /* of its `output`: whose account it is; NULL: not to be told */
};

/** Reads `text`. Findings go to `list`; INVALID_ARGUMENT if there is an error among them, the first
 * of them in `reterr`. Owned: manifest_freep(). */
status manifest_read(str text, struct diagnostics *list, struct manifest **ret_manifest,
                     struct error *reterr);

/** The same for a text that was checked before, as the built-in ones were: its shape and examples
 * are not looked at again, which is most of the work. */
status manifest_read_known(str text, struct diagnostics *list, struct manifest **ret_manifest,
                           struct error *reterr);
void manifest_free(struct manifest *manifest);
void manifest_freep(struct manifest **manifest);

/** An action by its name or one of its aliases; NULL: there is none. */
const struct manifest_action *manifest_action(const struct manifest *manifest, str name);

/** The calls that undo the action, one after the other: its own, else those of its steps; NULL
 * beyond the end. */
const struct action_call *manifest_undo_at(const struct manifest_action *action, size_t index);

/** Says whether the budget counts calls of this action. */
bool rate_budget_covers(const struct rate_budget *budget, const char *action);

/** Reads "3/s", "20/min", "100/h", "1/day". False: it is none. */
bool rate_read(const char *text, int64_t *ret_count, int64_t *ret_per_ms);

/** "ok", "transient", ...; static. */
const char *outcome_class_name(enum outcome_class class);
bool outcome_class_of(str name, enum outcome_class *ret_class);

/** The JSON Schema of manifests, as text: what editors take. */
str manifest_schema_text(void);

#endif
