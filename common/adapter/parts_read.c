/* Parts that stand at a manifest's top, and in actions: auth, errors; limits and pages. */
#include "adapter/manifest_internal.h"
#include "base/assert.h"
#include "base/attr.h"

#include <stdlib.h>

enum {
    SECRETS_SHOWN_MAX = 64,
    WAIT_MAX_MS       = 900'000,
    TOKEN_MS          = 300'000,
    PAGES_MAX         = 50,
    RATE_COUNT_MAX    = 1'000'000
};

/* The position of a text that the schema has checked to be one of these. */
static size_t choice_of(const char *text, const char *const *names, size_t count)
{
    size_t i = 0;
    while (i < count && strcmp(text, names[i]) != 0) i++;
    ASSERT(i < count);
    return i;
}

/* --- auth ------------------------------------------------------------------------------------- */

void secret_check(struct reading *reading, json map, const char *key)
{
    const struct manifest *manifest = reading->manifest;
    const char *name                = text_at(map, key);
    const char *names[SECRETS_SHOWN_MAX];
    size_t count = 0;
    if (!name) return;
    for (size_t i = 0; i < manifest->secret_count; i++) {
        if (strcmp(name, manifest->secrets[i].name) == 0) return;
        if (count < SECRETS_SHOWN_MAX) names[count++] = manifest->secrets[i].name;
    }
    size_t back = reading_enter(reading, key);
    struct diagnostic *finding =
        reading_refuse(reading, "M04", "there is no secret `%s` in this manifest", name);
    const char *near = nearest_name(str_from(name), names, count);
    if (near) {
        diagnostic_hint(reading->list, finding, "did you mean `%s`?", near);
    } else {
        diagnostic_hint(reading->list, finding, "`secrets: { %s: { description: … } }`", name);
    }
    reading_leave(reading, back);
}

static void jwt_read(struct reading *reading, json auth, struct manifest_auth *ret_auth)
{
    static const char *const forms[]      = {"text", "hex", "base64", "pem"};
    static const char *const algorithms[] = {"HS256", "RS256", "ES256"};
    const char *form                      = text_at(auth, "secret_format");
    ret_auth->algorithm =
        (enum jwt_algorithm)choice_of(text_at(auth, "alg"), algorithms, ARRAY_LEN(algorithms));
    ret_auth->secret_form = ret_auth->algorithm == JWT_HS256 ? SECRET_TEXT : SECRET_PEM;
    if (form) {
        ret_auth->secret_form =
            (enum secret_form)choice_of(form, forms, sizeof forms / sizeof *forms);
    }
    ret_auth->header = formula_at(reading, auth, "header", FORMULA_DROPS_NULL);
    ret_auth->claims = formula_at(reading, auth, "claims", FORMULA_DROPS_NULL);
    ret_auth->ttl_ms = duration_at_ms(auth, "ttl", TOKEN_MS);
}

static void sigv4_read(struct reading *reading, json auth, struct manifest_auth *ret_auth)
{
    ret_auth->service       = formula_at(reading, auth, "service", FORMULA_KEEPS_NULL);
    ret_auth->region        = formula_at(reading, auth, "region", FORMULA_KEEPS_NULL);
    ret_auth->access_key    = text_at(auth, "access_key");
    ret_auth->secret_key    = text_at(auth, "secret_key");
    ret_auth->session_token = text_at(auth, "session_token");
}

static void oauth2_auth_read(struct reading *reading, json auth, struct manifest_auth *ret_auth)
{
    const char *client_auth = text_at(auth, "client_auth");
    bool is_refresh         = strcmp(text_at(auth, "grant"), "refresh_token") == 0;
    ret_auth->token_url     = formula_at(reading, auth, "token_url", FORMULA_KEEPS_NULL);
    ret_auth->client_id     = formula_at(reading, auth, "client_id", FORMULA_KEEPS_NULL);
    ret_auth->client_secret = text_at(auth, "client_secret");
    ret_auth->client_key    = text_at(auth, "client_key");
    ret_auth->client_key_id = formula_at(reading, auth, "client_key_id", FORMULA_DROPS_NULL);
    ret_auth->refresh_token = is_refresh ? text_at(auth, "refresh_token") : NULL;
    ret_auth->scopes        = json_get_text(auth, "scopes");
    ret_auth->is_posted     = client_auth && strcmp(client_auth, "post") == 0;
    if (is_refresh && !ret_auth->refresh_token) {
        (void)reading_refuse(reading, "M02", "`grant: refresh_token` needs `refresh_token`");
    }
    bool has_key = client_auth && strcmp(client_auth, "private_key_jwt") == 0;
    if (has_key && (!ret_auth->client_key || ret_auth->client_secret)) {
        (void)reading_refuse(
            reading, "M02",
            "`client_auth: private_key_jwt` needs `client_key`, and no `client_secret`");
    }
    if (!has_key && (!ret_auth->client_secret || ret_auth->client_key)) {
        (void)reading_refuse(
            reading, "M02",
            "`oauth2` needs `client_secret`, or `client_auth: private_key_jwt` with `client_key`");
    }
}

static void hmac_read(struct reading *reading, json auth, struct manifest_auth *ret_auth)
{
    const char *encoding  = text_at(auth, "encoding");
    ret_auth->is_standard = text_at(auth, "preset") != NULL;
    ret_auth->is_base64   = ret_auth->is_standard || (encoding && strcmp(encoding, "base64") == 0);
    ret_auth->over        = formula_at(reading, auth, "over", FORMULA_KEEPS_NULL);
    ret_auth->headers     = json_get_text(auth, "headers");
}

void manifest_auth_read(struct reading *reading, json map, struct manifest_auth *ret_auth)
{
    static const char *const kinds[]   = {"none", "bearer", "basic",  "header", "query",
                                          "path", "jwt",    "oauth2", "sigv4",  "hmac"};
    static const char *const secrets[] = {"secret",     "password",      "client_secret",
                                          "client_key", "refresh_token", "access_key",
                                          "secret_key", "session_token"};
    json auth                          = json_get_text(map, "auth");
    if (!json_is(auth, JSON_OBJECT)) return; /* not given, or `none` */
    size_t back = reading_enter(reading, "auth");
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        secret_check(reading, auth, secrets[i]);
    }
    size_t kind        = choice_of(text_at(auth, "type"), kinds, sizeof kinds / sizeof *kinds);
    const char *secret = text_at(auth, "secret");
    *ret_auth          = (struct manifest_auth){
                 .kind     = (enum auth_kind)kind,
                 .secret   = secret ? secret : text_at(auth, "password"),
                 .prefix   = text_at(auth, "prefix"),
                 .name     = text_at(auth, "name"),
                 .user     = formula_at(reading, auth, "user", FORMULA_KEEPS_NULL),
                 .settings = auth,
    };
    if (ret_auth->kind == AUTH_JWT) jwt_read(reading, auth, ret_auth);
    if (ret_auth->kind == AUTH_SIGV4) sigv4_read(reading, auth, ret_auth);
    if (ret_auth->kind == AUTH_OAUTH2) oauth2_auth_read(reading, auth, ret_auth);
    if (ret_auth->kind == AUTH_HMAC) hmac_read(reading, auth, ret_auth);
    if (ret_auth->kind == AUTH_BEARER && !ret_auth->prefix) ret_auth->prefix = "Bearer";
    reading_leave(reading, back);
}

/* --- errors ----------------------------------------------------------------------------------- */

void error_rules_read(struct reading *reading, json map, struct error_rule **ret_rules,
                      size_t *ret_count)
{
    json rules  = json_get_text(map, "errors");
    size_t back = reading_enter(reading, "errors");
    *ret_rules  = reading_alloc(reading, json_count(rules), sizeof **ret_rules);
    *ret_count  = json_count(rules);
    for (size_t i = 0; i < json_count(rules); i++) {
        json rule            = json_at(rules, i);
        size_t of_rule       = reading_enter_index(reading, i);
        (*ret_rules)[i].when = formula_at(reading, rule, "when", FORMULA_KEEPS_NULL);
        bool is_known = outcome_class_of(str_from(text_at(rule, "class")), &(*ret_rules)[i].class);
        ASSERT(is_known); /* the schema has checked it */
        reading_leave(reading, of_rule);
    }
    reading_leave(reading, back);
}

/* --- limits ----------------------------------------------------------------------------------- */

bool rate_read(const char *text, int64_t *ret_count, int64_t *ret_per_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[]       = {{"/s", 1'000}, {"/min", 60'000}, {"/h", 3'600'000}, {"/day", 86'400'000}};
    char *unit      = NULL;
    long long count = strtoll(text, &unit, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) != 0 || count < 1 || count > RATE_COUNT_MAX) continue;
        *ret_count  = count;
        *ret_per_ms = units[i].ms;
        return true;
    }
    return false;
}

/* The schema has checked its form. */
static void rate_at(json map, int64_t *ret_count, int64_t *ret_per_ms)
{
    const char *text = text_at(map, "rate");
    if (text) (void)rate_read(text, ret_count, ret_per_ms);
}

bool rate_budget_covers(const struct rate_budget *budget, const char *action)
{
    for (size_t i = 0; i < json_count(budget->actions); i++) {
        if (str_is(json_str(json_at(budget->actions, i)), action)) return true;
    }
    return false;
}

static void budgets_read(struct reading *reading, json list, struct rate_limit *ret_limit)
{
    size_t back             = reading_enter(reading, "budgets");
    ret_limit->budget_count = json_count(list);
    ret_limit->budgets      = reading_alloc(reading, json_count(list), sizeof *ret_limit->budgets);
    for (size_t i = 0; i < json_count(list); i++) {
        json one                   = json_at(list, i);
        struct rate_budget *budget = &ret_limit->budgets[i];
        size_t of_one              = reading_enter_index(reading, i);
        budget->actions            = json_get_text(one, "actions");
        budget->key                = formula_at(reading, one, "key", FORMULA_KEEPS_NULL);
        budget->concurrency        = integer_at(one, "concurrency", 0);
        budget->burst              = integer_at(one, "burst", 0);
        rate_at(one, &budget->rate_count, &budget->rate_per_ms);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

void rate_limit_read(struct reading *reading, json map, struct rate_limit *ret_limit)
{
    json limit            = json_get_text(map, "rate_limit");
    json gap              = json_get_text(limit, "min_gap");
    json reset            = json_get_text(limit, "reset");
    json after            = json_get_text(limit, "retry_after");
    size_t back           = reading_enter(reading, "rate_limit");
    size_t of_after       = reading_enter(reading, "retry_after");
    struct formula *value = formula_at(reading, after, "value", FORMULA_KEEPS_NULL);
    reading_leave(reading, of_after);
    *ret_limit = (struct rate_limit){
        .concurrency        = integer_at(limit, "concurrency", 0),
        .burst              = integer_at(limit, "burst", 0),
        .min_gap_read_ms    = duration_at_ms(gap, "read", 0),
        .min_gap_write_ms   = duration_at_ms(gap, "write", 0),
        .wait_max_ms        = duration_at_ms(limit, "max_wait", WAIT_MAX_MS),
        .remaining          = text_at(limit, "remaining"),
        .reset              = text_at(reset, "header"),
        .reset_format       = text_at(reset, "format"),
        .retry_after        = text_at(after, "header"),
        .retry_after_format = text_at(after, "format"),
        .retry_after_value  = value,
    };
    rate_at(limit, &ret_limit->rate_count, &ret_limit->rate_per_ms);
    budgets_read(reading, json_get_text(limit, "budgets"), ret_limit);
    reading_leave(reading, back);
}

/* --- pages ------------------------------------------------------------------------------------ */

static void pagination_read(struct reading *reading, json map, struct pagination *ret_pagination)
{
    static const char *const kinds[] = {"link_header", "next_url", "cursor", "offset", "page"};
    size_t kind     = choice_of(text_at(map, "type"), kinds, sizeof kinds / sizeof *kinds);
    const char *rel = text_at(map, "rel");
    const char *in  = text_at(map, "in");
    *ret_pagination = (struct pagination){
        .name            = ret_pagination->name,
        .kind            = (enum pagination_kind)kind,
        .rel             = rel ? rel : "next",
        .next            = formula_at(reading, map, "next", FORMULA_KEEPS_NULL),
        .stop_when       = formula_at(reading, map, "stop_when", FORMULA_KEEPS_NULL),
        .in              = in ? in : "query",
        .param           = text_at(map, "param"),
        .start           = integer_at(map, "start", kind == PAGES_NUMBER ? 1 : 0),
        .page_size_param = text_at(map, "page_size_param"),
        .page_size       = integer_at(map, "page_size", 0),
        .pages_max       = integer_at(map, "max_pages", PAGES_MAX),
    };
}

void paginations_read(struct reading *reading, json map)
{
    struct manifest *manifest = reading->manifest;
    json kinds                = json_get_text(map, "pagination");
    size_t back               = reading_enter(reading, "pagination");
    manifest->paginations =
        reading_alloc(reading, json_count(kinds), sizeof *manifest->paginations);
    for (size_t i = 0; i < json_count(kinds); i++) {
        struct pagination *pagination = &manifest->paginations[manifest->pagination_count++];
        pagination->name              = json_key_at(kinds, i).ptr;
        size_t of_kind                = reading_enter(reading, pagination->name);
        pagination_read(reading, json_value_at(kinds, i), pagination);
        reading_leave(reading, of_kind);
    }
    reading_leave(reading, back);
}
