/* Authentication of an HTTP call: basic or bearer, inline or named. Others are known, not built. */
#include "workflow/compile.h"
#include "workflow/use.h"

struct policy {
    const struct template *basic, *bearer;
};

struct credentials {
    const struct template *username, *password, *token;
};

static const struct field basic_fields[] = {
    {"username", template_text_read, offsetof(struct credentials, username), REQUIRED},
    {"password", template_text_read, offsetof(struct credentials, password), REQUIRED},
};
static const struct synonym basic_synonyms[] = {
    {"user", "username"},
    {"pass", "password"},
    {},
};
static const struct object_kind basic_kind = {
    .what        = "`basic`",
    .fields      = basic_fields,
    .field_count = ARRAY_LEN(basic_fields),
    .synonyms    = basic_synonyms,
};

static const struct field bearer_fields[] = {
    {"token", template_text_read, offsetof(struct credentials, token), REQUIRED},
};
static const struct object_kind bearer_kind = {
    .what = "`bearer`", .fields = bearer_fields, .field_count = ARRAY_LEN(bearer_fields)};

/* `{use: <secret>}`: there are no secrets yet. */
static bool names_secret(struct reader *reader, json value)
{
    if (json_is(json_get_text(value, "use"), JSON_INVALID)) return false;
    size_t back = pointer_enter(reader, str_from("use"));
    refuse(reader, "V05", key_place(reader), "credentials from a secret are not supported yet");
    pointer_leave(reader, back);
    return true;
}

static void basic_read(struct reader *reader, json value, void *target)
{
    struct policy *policy          = target;
    struct credentials credentials = {};
    if (names_secret(reader, value)) return;
    (void)object_read(reader, &basic_kind, value, &credentials);
    const struct template_member members[] = {{"username", credentials.username},
                                              {"password", credentials.password}};
    policy->basic = template_of_members(reader, members, ARRAY_LEN(members));
}

static void bearer_read(struct reader *reader, json value, void *target)
{
    struct policy *policy          = target;
    struct credentials credentials = {};
    if (names_secret(reader, value)) return;
    (void)object_read(reader, &bearer_kind, value, &credentials);
    const struct template_member members[] = {{"token", credentials.token}};
    policy->bearer = template_of_members(reader, members, ARRAY_LEN(members));
}

static const struct field policy_fields[] = {
    {"basic", basic_read, 0, OPTIONAL}, {"bearer", bearer_read, 0, OPTIONAL},
    {"digest", NULL, 0, OPTIONAL},      {"oauth2", NULL, 0, OPTIONAL},
    {"oidc", NULL, 0, OPTIONAL},
};
static const struct object_kind policy_kind = {
    .what = "an authentication", .fields = policy_fields, .field_count = ARRAY_LEN(policy_fields)};

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
    const struct template_member members[] = {{"basic", policy.basic}, {"bearer", policy.bearer}};
    *result = template_of_members(reader, members, ARRAY_LEN(members));
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
