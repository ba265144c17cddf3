/*
 * Authentication of a call, inline or named. What the worker gets is `{<kind>: {…}}`, with its
 * expressions evaluated and `{use: <secret>}` replaced by the secret.
 */
#include "workflow/authentication.h"
#include "workflow/compile.h"
#include "workflow/secrets.h"
#include "workflow/task_read.h"
#include "workflow/use.h"

/* --- basic, digest, bearer -------------------------------------------------------------------- */

struct credentials {
    const struct template *username, *password, *token;
};

static const struct field password_fields[] = {
    {"username", template_text_read, offsetof(struct credentials, username), REQUIRED},
    {"password", template_text_read, offsetof(struct credentials, password), REQUIRED},
};
static const struct synonym password_synonyms[] = {
    {"user", "username"},
    {"pass", "password"},
    {},
};
static const struct object_kind password_kind = {
    .what        = "`basic` or `digest`",
    .fields      = password_fields,
    .field_count = ARRAY_LEN(password_fields),
    .synonyms    = password_synonyms,
};

static const struct field bearer_fields[] = {
    {"token", template_text_read, offsetof(struct credentials, token), REQUIRED},
};
static const struct object_kind bearer_kind = {
    .what = "`bearer`", .fields = bearer_fields, .field_count = ARRAY_LEN(bearer_fields)};

static const struct template *password_template(struct reader *reader, json value)
{
    struct credentials credentials = {};
    return template_of_table(reader, &password_kind, value, &credentials);
}

static const struct template *bearer_template(struct reader *reader, json value)
{
    struct credentials credentials = {};
    return template_of_table(reader, &bearer_kind, value, &credentials);
}

/* --- from a secret ---------------------------------------------------------------------------- */

struct from_secret {
    const struct template *value;
};

static void use_secret_read(struct reader *reader, json value, void *target)
{
    struct from_secret *from = target;
    from->value              = secret_template(reader, value);
}

static const struct field from_secret_fields[]   = {{"use", use_secret_read, 0, REQUIRED}};
static const struct object_kind from_secret_kind = {
    .what        = "an authentication from a secret",
    .fields      = from_secret_fields,
    .field_count = ARRAY_LEN(from_secret_fields),
};

/* --- policies --------------------------------------------------------------------------------- */

/* The one member of a policy. */
struct policy {
    const char *kind;
    const struct template *value;
};

static void kind_read(struct reader *reader, json value, struct policy *policy, const char *kind,
                      const struct template *(*make)(struct reader *, json))
{
    struct from_secret from = {};
    policy->kind            = kind;
    if (json_is(json_get_text(value, "use"), JSON_INVALID)) {
        policy->value = make(reader, value);
    } else {
        (void)object_read(reader, &from_secret_kind, value, &from);
        policy->value = from.value;
    }
}

static void basic_read(struct reader *reader, json value, void *target)
{
    kind_read(reader, value, target, "basic", password_template);
}

static void digest_read(struct reader *reader, json value, void *target)
{
    kind_read(reader, value, target, "digest", password_template);
}

static void bearer_read(struct reader *reader, json value, void *target)
{
    kind_read(reader, value, target, "bearer", bearer_template);
}

static void oauth2_read(struct reader *reader, json value, void *target)
{
    kind_read(reader, value, target, "oauth2", oauth2_template);
}

static void oidc_read(struct reader *reader, json value, void *target)
{
    kind_read(reader, value, target, "oidc", oidc_template);
}

static const struct field policy_fields[] = {
    {"basic", basic_read, 0, OPTIONAL},   {"bearer", bearer_read, 0, OPTIONAL},
    {"digest", digest_read, 0, OPTIONAL}, {"oauth2", oauth2_read, 0, OPTIONAL},
    {"oidc", oidc_read, 0, OPTIONAL},
};
static const struct synonym policy_synonyms[] = {
    {"oauth", "oauth2"},
    {"openid", "oidc"},
    {"token", "bearer: { token: … }"},
    {"secret", "bearer: { use: … }"},
    {},
};
static const struct object_kind policy_kind = {
    .what        = "an authentication",
    .fields      = policy_fields,
    .field_count = ARRAY_LEN(policy_fields),
    .synonyms    = policy_synonyms,
};

void authentication_policy_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct policy policy           = {};
    if (!object_read(reader, &policy_kind, value, &policy)) return;
    if (json_count(value) != 1) {
        refuse(
            reader, "V06", value_place(reader),
            "an authentication has exactly one of `basic`, `bearer`, `digest`, `oauth2`, `oidc`");
    }
    if (!policy.kind) return;
    const struct template_member members[] = {{policy.kind, policy.value}};
    *result                                = template_of_members(reader, members, 1);
}

void authentication_read(struct reader *reader, json value, void *target)
{
    json name = json_get_text(value, "use");
    if (json_is(name, JSON_INVALID)) {
        authentication_policy_read(reader, value, target);
        return;
    }
    if (json_count(value) > 1) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "`use` names a policy, so nothing stands beside it");
        hint(reader, finding, "`{ use: … }`, or the policy itself");
    }
    size_t back = pointer_enter(reader, str_from("use"));
    if (expect_kind(reader, name, JSON_TEXT, "`use`")) {
        struct definition *definition =
            definition_find(reader, DEFINITION_AUTHENTICATION, json_str(name));
        if (definition) definition_read(reader, definition, authentication_policy_read, target);
    }
    pointer_leave(reader, back);
}

void authentication_set(struct reader *reader, const struct template *authentication)
{
    if (!authentication || authentication->count != 1 || !reader->draft) return;
    struct call_body *call    = &reader->draft->task.call;
    call->authentication      = authentication;
    call->authentication_kind = json_str(json_at(authentication->keys, 0)).ptr;
}
