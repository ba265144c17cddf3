/*
 * OAuth2 and OpenID Connect, as the language writes them: what the worker gets is the same map with
 * its expressions evaluated. What is missing of it is known only then, so nothing is required here.
 */
#include "workflow/authentication.h"
#include "workflow/compile.h"

struct token {
    const struct template *token, *type;
};

struct oauth2 {
    const struct template *authority, *endpoints, *grant, *client, *request, *issuers, *scopes,
        *audiences, *username, *password, *subject, *actor;
};

/* One of `count` texts, or an expression. */
static void chosen_read(struct reader *reader, json value, const char *const *names, size_t count,
                        void *target)
{
    size_t index;
    if (is_expression(value) || choice_read(reader, value, names, count, &index)) {
        template_read(reader, value, target);
    }
}

/* --- endpoints, client, request --------------------------------------------------------------- */

struct endpoints {
    const struct template *token, *revocation, *introspection;
};

static const struct field endpoints_fields[] = {
    {"token", template_text_read, offsetof(struct endpoints, token), OPTIONAL},
    {"revocation", template_text_read, offsetof(struct endpoints, revocation), OPTIONAL},
    {"introspection", template_text_read, offsetof(struct endpoints, introspection), OPTIONAL},
};
static const struct object_kind endpoints_kind = {
    .what = "`endpoints`", .fields = endpoints_fields, .field_count = ARRAY_LEN(endpoints_fields)};

static void endpoints_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct endpoints endpoints     = {};
    *result                        = template_of_table(reader, &endpoints_kind, value, &endpoints);
}

struct client {
    const struct template *id, *secret, *assertion, *authentication;
};

static void client_authentication_read(struct reader *reader, json value, void *target)
{
    static const char *const kinds[] = {"client_secret_basic", "client_secret_post",
                                        "client_secret_jwt", "private_key_jwt", "none"};
    chosen_read(reader, value, kinds, ARRAY_LEN(kinds), target);
}

static const struct field client_fields[] = {
    {"id", template_text_read, offsetof(struct client, id), OPTIONAL},
    {"secret", template_text_read, offsetof(struct client, secret), OPTIONAL},
    {"assertion", template_text_read, offsetof(struct client, assertion), OPTIONAL},
    {"authentication", client_authentication_read, offsetof(struct client, authentication),
     OPTIONAL},
};
static const struct synonym client_synonyms[] = {
    {"clientId", "id"},
    {"client_id", "id"},
    {"clientSecret", "secret"},
    {"client_secret", "secret"},
    {},
};
static const struct object_kind client_kind = {.what        = "`client`",
                                               .fields      = client_fields,
                                               .field_count = ARRAY_LEN(client_fields),
                                               .synonyms    = client_synonyms};

static void client_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct client client           = {};
    *result                        = template_of_table(reader, &client_kind, value, &client);
}

struct request {
    const struct template *encoding;
};

static void encoding_read(struct reader *reader, json value, void *target)
{
    static const char *const kinds[] = {"application/x-www-form-urlencoded", "application/json"};
    chosen_read(reader, value, kinds, ARRAY_LEN(kinds), target);
}

static const struct field request_fields[] = {
    {"encoding", encoding_read, offsetof(struct request, encoding), OPTIONAL},
};
static const struct object_kind request_kind = {
    .what = "`request`", .fields = request_fields, .field_count = ARRAY_LEN(request_fields)};

static void request_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct request request         = {};
    *result                        = template_of_table(reader, &request_kind, value, &request);
}

/* --- tokens of others ------------------------------------------------------------------------- */

static const struct field token_fields[] = {
    {"token", template_text_read, offsetof(struct token, token), REQUIRED},
    {"type", template_text_read, offsetof(struct token, type), REQUIRED},
};
static const struct object_kind token_kind = {
    .what = "a token", .fields = token_fields, .field_count = ARRAY_LEN(token_fields)};

static void token_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct token token             = {};
    *result                        = template_of_table(reader, &token_kind, value, &token);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void grant_read(struct reader *reader, json value, void *target)
{
    static const char *const grants[] = {"client_credentials", "password", "refresh_token",
                                         "urn:ietf:params:oauth:grant-type:token-exchange",
                                         "authorization_code"};
    chosen_read(reader, value, grants, ARRAY_LEN(grants), target);
    if (!json_is(value, JSON_TEXT) || !str_is(json_str(value), "authorization_code")) return;
    struct diagnostic *finding = warn(reader, "V05", value_place(reader),
                                      "`authorization_code` needs a person at a browser, and a "
                                      "run has none: the call will have a `configuration` error");
    hint(reader, finding, "`client_credentials`, or `refresh_token` with a token from a secret");
}

/* A list of texts, or an expression that yields one. */
static void names_read(struct reader *reader, json value, void *target)
{
    if (is_expression(value)) {
        template_read(reader, value, target);
    } else {
        texts_list_read(reader, value, target);
    }
}

/* What `oauth2` has beyond `oidc` comes first. */
static const struct field oauth2_fields[] = {
    {"endpoints", endpoints_read, offsetof(struct oauth2, endpoints), OPTIONAL},
    {"authority", template_uri_read, offsetof(struct oauth2, authority), OPTIONAL},
    {"grant", grant_read, offsetof(struct oauth2, grant), OPTIONAL},
    {"client", client_read, offsetof(struct oauth2, client), OPTIONAL},
    {"request", request_read, offsetof(struct oauth2, request), OPTIONAL},
    {"issuers", names_read, offsetof(struct oauth2, issuers), OPTIONAL},
    {"scopes", names_read, offsetof(struct oauth2, scopes), OPTIONAL},
    {"audiences", names_read, offsetof(struct oauth2, audiences), OPTIONAL},
    {"username", template_text_read, offsetof(struct oauth2, username), OPTIONAL},
    {"password", template_text_read, offsetof(struct oauth2, password), OPTIONAL},
    {"subject", token_read, offsetof(struct oauth2, subject), OPTIONAL},
    {"actor", token_read, offsetof(struct oauth2, actor), OPTIONAL},
};
static const struct synonym oauth2_synonyms[] = {
    {"issuer", "issuers"},
    {"scope", "scopes"},
    {"audience", "audiences"},
    {"tokenUrl", "endpoints: { token: … }"},
    {"grantType", "grant"},
    {"grant_type", "grant"},
    {"clientId", "client: { id: … }"},
    {"clientSecret", "client: { secret: … }"},
    {},
};
static const struct object_kind oauth2_kind = {
    .what        = "`oauth2`",
    .fields      = oauth2_fields,
    .field_count = ARRAY_LEN(oauth2_fields),
    .synonyms    = oauth2_synonyms,
};
static const struct object_kind oidc_kind = {
    .what        = "`oidc`",
    .fields      = oauth2_fields + 1,
    .field_count = ARRAY_LEN(oauth2_fields) - 1,
    .synonyms    = oauth2_synonyms,
};

const struct template *oauth2_template(struct reader *reader, json value)
{
    struct oauth2 policy = {};
    return template_of_table(reader, &oauth2_kind, value, &policy);
}

const struct template *oidc_template(struct reader *reader, json value)
{
    struct oauth2 policy = {};
    return template_of_table(reader, &oidc_kind, value, &policy);
}
