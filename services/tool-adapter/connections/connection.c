#include "tool-adapter/connections/connection.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config_pii.h"
#include "http/http.h"
#include "http/url.h"
#include "tool-adapter/connections/config_entry.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MAX = 1'000'000 };

struct reading {
    struct config_entry place;
    const struct manifest *manifest;
    struct connection *connection;
};

/* --- members ---------------------------------------------------------------------------------- */

static void check_members(const struct reading *reading, json entry)
{
    static const char *const known[] = {
        "adapter", "config", "secrets", "hosts",   "namespaces", "allow_private", "concurrency",
        "rate",    "burst",  "min_gap", "budgets", "pii",        "proxy"};
    for (size_t i = 0; i < json_count(entry); i++) {
        str key       = json_key_at(entry, i);
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++) is_known |= str_is(key, known[k]);
        if (is_known) continue;
        const char *near = nearest_name(key, known, ARRAY_LEN(known));
        config_entry_found(&reading->place, NULL, key, near ? near : "", "`%s` is not known here",
                           config_entry_keep(&reading->place, key));
    }
}

static const char *const *texts_of(const struct reading *reading, json entry, const char *member)
{
    json list = json_get_text(entry, member);
    if (json_is(list, JSON_INVALID)) return NULL;
    bool is_fine = json_is(list, JSON_ARRAY) && json_count(list) <= CONNECTION_LIST_MAX;
    for (size_t i = 0; is_fine && i < json_count(list); i++) {
        is_fine = json_is(json_at(list, i), JSON_TEXT);
    }
    if (!is_fine) {
        config_entry_found(&reading->place, member, (str){}, "",
                           "`%s` is a list of at most %d texts", member, CONNECTION_LIST_MAX);
        return NULL;
    }
    const char **items = arena_alloc(reading->place.arena, (json_count(list) + 1) * sizeof *items);
    ASSERT(items);
    for (size_t i = 0; i < json_count(list); i++) {
        items[i] = config_entry_keep(&reading->place, json_str(json_at(list, i)));
    }
    return items;
}

/* Threads that read it must not count its owners. */
static json frozen_copy(json given)
{
    if (json_is(given, JSON_INVALID)) return json_invalid();
    json copy = json_copy_new(given);
    ASSERT(copy.kind != JSON_INVALID);
    return json_freeze(copy);
}

static void read_config(const struct reading *reading, json given)
{
    struct connection *connection     = reading->connection;
    CLEANUP(json_unrefp) json checked = json_invalid();
    struct error error                = {};
    connection->config                = frozen_copy(given);
    status code =
        scope_config(reading->manifest, connection->config, reading->place.arena, &checked, &error);
    if (code != STATUS_OK) {
        config_entry_found(&reading->place, "config", (str){}, "", "%s", error.text);
    }
}

/* --- secrets ---------------------------------------------------------------------------------- */

static const struct secret_slot *slot_of(const struct manifest *manifest, str name)
{
    for (size_t i = 0; i < manifest->secret_count; i++) {
        if (str_is(name, manifest->secrets[i].name)) return &manifest->secrets[i];
    }
    return NULL;
}

static void read_secret(const struct reading *reading, str name, json reference)
{
    struct connection *connection  = reading->connection;
    const struct secret_slot *slot = slot_of(reading->manifest, name);
    struct error error             = {};
    str value                      = {};
    if (!slot) {
        config_entry_found(&reading->place, "secrets", name, "",
                           "the adapter `%s` has no secret `%s`", reading->manifest->name,
                           config_entry_keep(&reading->place, name));
        return;
    }
    if (connection->secret_count == CONNECTION_SECRETS_MAX) return; /* slots are fewer */
    if (config_secret_read(reading->place.config, reference, reading->place.arena, &value,
                           &error) != STATUS_OK) {
        config_entry_found(&reading->place, "secrets", name, "{ secret: NAME }", "%s", error.text);
        return;
    }
    connection->secrets[connection->secret_count++] =
        (struct connection_secret){.slot = slot->name, .value = value};
    if (!slot->is_shown) json_mask_add(connection->mask, value);
}

static status find_secret(const char *slot, str *ret_value, struct error *reterr, void *context)
{
    const struct connection *connection = context;
    for (size_t i = 0; i < connection->secret_count; i++) {
        if (strcmp(connection->secrets[i].slot, slot) != 0) continue;
        *ret_value = connection->secrets[i].value;
        return STATUS_OK;
    }
    return fail(reterr, STATUS_NOT_FOUND, "tools.connections.%s.secrets has none",
                connection->name);
}

struct secret_source connection_secrets(const struct connection *connection)
{
    return (struct secret_source){.find    = find_secret,
                                  .context = (struct connection *)(uintptr_t)connection};
}

static const char *missing_secret(const struct connection *connection)
{
    const struct manifest *manifest = connection->manifest;
    for (size_t i = 0; i < manifest->secret_count; i++) {
        str ignored = {};
        if (manifest->secrets[i].is_optional) continue;
        if (find_secret(manifest->secrets[i].name, &ignored, NULL,
                        (struct connection *)(uintptr_t)connection) != STATUS_OK) {
            return manifest->secrets[i].name;
        }
    }
    return NULL;
}

/* --- the proxy -------------------------------------------------------------------------------- */

/* Mail is no HTTP, and what a module of ours does leaves by no request. */
static bool sends_requests(const struct manifest *manifest)
{
    if (manifest->base_url) return true;
    for (size_t i = 0; i < manifest->action_count; i++) {
        const struct manifest_action *action = &manifest->actions[i];
        for (size_t k = 0; k < action->step_count; k++) {
            const struct manifest_request *request = &action->steps[k].request;
            bool is_web = request->kind == REQUEST_BUILTIN && request->document &&
                          str_starts_with(str_from(request->document), str_from("web."));
            if (request->kind == REQUEST_BROWSER || request->kind == REQUEST_MCP || is_web) {
                return true;
            }
        }
    }
    return false;
}

/* Its password is a secret of its own: who masks the URL alone would show it. */
static void hide_password(const struct reading *reading, str url)
{
    str password = http_proxy_password(url, reading->place.arena);
    if (password.len == 0) return;
    (void)log_add_secret(password);
    json_mask_add(reading->connection->mask, password);
}

static bool is_public(str url)
{
    struct url parsed;
    return url_parse(url, &parsed) && parsed.user_info.len == 0;
}

/* The connection's goes before the manifest's. */
static void read_proxy(const struct reading *reading, json given)
{
    struct connection *connection = reading->connection;
    struct error error            = {};
    str url                       = {};
    bool is_there                 = !json_is(given, JSON_INVALID);
    status code                   = STATUS_OK;
    if (!is_there && reading->manifest->proxy) {
        (void)find_secret(reading->manifest->proxy, &url, NULL, connection);
    } else if (json_is(given, JSON_TEXT)) {
        url = str_from(config_entry_keep(&reading->place, json_str(given)));
    } else if (is_there) {
        code = config_secret_read(reading->place.config, given, reading->place.arena, &url, &error);
    }
    if (code == STATUS_OK && url.len == 0 && !is_there) return;
    if (code == STATUS_OK) code = http_proxy_check(url, &error);
    if (code == STATUS_OK && json_is(given, JSON_TEXT) && !is_public(url)) {
        code = fail(&error, STATUS_INVALID_ARGUMENT, "a URL with a password is a secret");
    }
    if (code == STATUS_OK && !sends_requests(reading->manifest)) {
        code = fail(&error, STATUS_INVALID_ARGUMENT, "the adapter `%s` sends nothing by HTTP",
                    reading->manifest->name);
    }
    if (code != STATUS_OK) {
        config_entry_found(&reading->place, "proxy", (str){}, "{ secret: NAME }", "%s", error.text);
        return;
    }
    connection->proxy = url;
    hide_password(reading, url);
}

/* --- limits ----------------------------------------------------------------------------------- */

static struct turnstile_rules rules_of(const struct rate_limit *limit)
{
    return (struct turnstile_rules){.concurrency  = limit->concurrency,
                                    .rate_count   = limit->rate_per_ms > 0 ? limit->rate_count : 0,
                                    .rate_per_ms  = limit->rate_per_ms,
                                    .burst        = limit->burst,
                                    .gap_read_ms  = limit->min_gap_read_ms,
                                    .gap_write_ms = limit->min_gap_write_ms};
}

static void read_count(const struct reading *reading, json entry, const char *member,
                       int64_t *ret_count)
{
    json value    = json_get_text(entry, member);
    int64_t count = 0;
    if (json_is(value, JSON_INVALID)) return;
    if (json_to_int(value, &count) && count >= 1 && count <= LIMIT_MAX) {
        *ret_count = count;
        return;
    }
    config_entry_found(&reading->place, member, (str){}, "", "`%s` is a whole number from 1 to %d",
                       member, LIMIT_MAX);
}

/* "3/s", "20/min" */
static void read_rate(const struct reading *reading, json entry, int64_t *ret_count,
                      int64_t *ret_per_ms)
{
    json value = json_get_text(entry, "rate");
    if (json_is(value, JSON_INVALID)) return;
    if (json_is(value, JSON_TEXT) && rate_read(json_str(value).ptr, ret_count, ret_per_ms)) return;
    config_entry_found(&reading->place, "rate", (str){}, "20/min",
                       "`rate` is a number per s, min, h or day");
}

static void read_gap(const struct reading *reading, json gap, const char *member, int64_t *ret_ms)
{
    json value = json_get_text(gap, member);
    int64_t ms = 0;
    if (json_is(value, JSON_INVALID)) return;
    if (config_duration_from(value, &ms)) {
        *ret_ms = ms;
        return;
    }
    config_entry_found(&reading->place, "min_gap", str_from(member), "1s", "is a duration");
}

static void read_limits(const struct reading *reading, json entry)
{
    struct turnstile_rules *rules = &reading->connection->turnstile->rules;
    json gap                      = json_get_text(entry, "min_gap");
    read_count(reading, entry, "concurrency", &rules->concurrency);
    read_count(reading, entry, "burst", &rules->burst);
    read_rate(reading, entry, &rules->rate_count, &rules->rate_per_ms);
    read_gap(reading, gap, "read", &rules->gap_read_ms);
    read_gap(reading, gap, "write", &rules->gap_write_ms);
}

/* --- finer limits ----------------------------------------------------------------------------- */

static void check_budget(const struct reading *reading, json given)
{
    static const char *const known[] = {"actions", "key", "rate", "burst", "concurrency"};
    json actions                     = json_get_text(given, "actions");
    for (size_t i = 0; i < json_count(given); i++) {
        str key       = json_key_at(given, i);
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++) is_known |= str_is(key, known[k]);
        if (!is_known) {
            config_entry_found(&reading->place, "budgets", (str){}, "",
                               "`%s` of a budget is not known here",
                               config_entry_keep(&reading->place, key));
        }
    }
    if (!json_is(actions, JSON_ARRAY) || json_count(actions) == 0) {
        config_entry_found(&reading->place, "budgets", (str){}, "",
                           "`actions` of a budget are names of actions");
        return;
    }
    for (size_t i = 0; i < json_count(actions); i++) {
        json name                            = json_at(actions, i);
        const struct manifest_action *action = NULL;
        if (json_is(name, JSON_TEXT)) action = manifest_action(reading->manifest, json_str(name));
        if (action && str_is(json_str(name), action->name)) continue; /* calls have that one */
        config_entry_found(
            &reading->place, "budgets", (str){}, "", "the adapter `%s` has no action `%s`",
            reading->manifest->name,
            json_is(name, JSON_TEXT) ? config_entry_keep(&reading->place, json_str(name)) : "?");
    }
}

static struct formula *read_key(const struct reading *reading, json key)
{
    struct formula_fault fault = {};
    struct formula *formula    = NULL;
    struct error error         = {};
    if (json_is(key, JSON_INVALID)) return NULL;
    if (formula_compile(key, FORMULA_KEEPS_NULL, json_invalid(), reading->place.arena, &formula,
                        &fault, &error) != STATUS_OK) {
        config_entry_found(&reading->place, "budgets", (str){}, "=.params.channel",
                           "`key` of a budget: %s", error.text);
    }
    return formula;
}

/* They take the place of the manifest's. */
static void read_budgets(const struct reading *reading, json list)
{
    struct connection *connection = reading->connection;
    size_t count                  = json_count(list);
    if (json_is(list, JSON_INVALID)) return;
    connection->own_budgets = list = frozen_copy(list);
    if (!json_is(list, JSON_ARRAY) || count > RATE_BUDGETS_MAX) {
        config_entry_found(&reading->place, "budgets", (str){}, "",
                           "`budgets` is a list of at most %d", RATE_BUDGETS_MAX);
        return;
    }
    struct rate_budget *budgets = arena_alloc(reading->place.arena, (count + 1) * sizeof *budgets);
    ASSERT(budgets);
    connection->keys         = mem_new(count + 1, sizeof(struct formula *));
    connection->budgets      = budgets;
    connection->budget_count = count;
    for (size_t i = 0; i < count; i++) {
        json given = json_at(list, i);
        check_budget(reading, given);
        connection->keys[i] = read_key(reading, json_get_text(given, "key"));
        budgets[i]          = (struct rate_budget){.actions = json_get_text(given, "actions"),
                                                   .key     = connection->keys[i]};
        read_count(reading, given, "concurrency", &budgets[i].concurrency);
        read_count(reading, given, "burst", &budgets[i].burst);
        read_rate(reading, given, &budgets[i].rate_count, &budgets[i].rate_per_ms);
        if (budgets[i].concurrency > 0 || budgets[i].rate_count > 0) continue;
        config_entry_found(&reading->place, "budgets", (str){}, "rate: 20/min",
                           "a budget has a `rate` or a `concurrency`");
    }
}

static void read_personal(const struct reading *reading, json rule)
{
    struct error error = {};
    if (json_is(rule, JSON_INVALID)) return;
    if (config_pii_read(reading->place.config, rule, reading->place.arena,
                        &reading->connection->personal, &error) != STATUS_OK) {
        config_entry_found(&reading->place, "pii", (str){}, "{ mode: mask }", "%s", error.text);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

void connection_default(const struct manifest *manifest, struct connection *ret_connection)
{
    *ret_connection           = (struct connection){.name = manifest->name, .manifest = manifest};
    ret_connection->mask      = json_mask_new();
    ret_connection->kept      = mem_new(1, sizeof(struct kept_token));
    ret_connection->lacks     = missing_secret(ret_connection);
    ret_connection->turnstile = mem_new(1, sizeof(struct turnstile));
    ret_connection->turnstile->rules = rules_of(&manifest->rate_limit);
    ret_connection->budgets          = manifest->rate_limit.budgets;
    ret_connection->budget_count     = manifest->rate_limit.budget_count;
    ret_connection->personal = (struct scrub_options){.mode = PII_MASK, .kinds = PII_DEFAULT};
}

void connection_read(const struct config *config, str name, json entry,
                     const struct manifest *manifest, struct arena *arena, struct diagnostics *list,
                     struct connection *ret_connection)
{
    struct reading reading = {
        .place      = {.config = config, .list = list, .arena = arena, .map = "/tools/connections"},
        .manifest   = manifest,
        .connection = ret_connection};
    connection_default(manifest, ret_connection);
    ret_connection->is_entry = true;
    reading.place.name       = config_entry_keep(&reading.place, name);
    ret_connection->name     = reading.place.name;
    check_members(&reading, entry);
    read_config(&reading, json_get_text(entry, "config"));
    json secrets = json_get_text(entry, "secrets");
    for (size_t i = 0; json_is(secrets, JSON_OBJECT) && i < json_count(secrets); i++) {
        read_secret(&reading, json_key_at(secrets, i), json_value_at(secrets, i));
    }
    ret_connection->lacks         = missing_secret(ret_connection);
    ret_connection->hosts         = texts_of(&reading, entry, "hosts");
    ret_connection->namespaces    = texts_of(&reading, entry, "namespaces");
    ret_connection->allow_private = json_is(json_get_text(entry, "allow_private"), JSON_TRUE);
    read_proxy(&reading, json_get_text(entry, "proxy"));
    read_limits(&reading, entry);
    read_budgets(&reading, json_get_text(entry, "budgets"));
    read_personal(&reading, json_get_text(entry, "pii"));
}

void connection_done(struct connection *connection)
{
    json_mask_freep(&connection->mask);
    if (connection->kept) kept_token_done(connection->kept);
    free(connection->kept);
    if (connection->turnstile && connection->turnstile->loop) {
        loop_timer_clear(connection->turnstile->loop, &connection->turnstile->timer);
    }
    free(connection->turnstile);
    for (size_t i = 0; connection->keys && i < connection->budget_count; i++) {
        formula_free(connection->keys[i]);
    }
    free(connection->keys);
    json_thaw_and_free(connection->own_budgets);
    json_thaw_and_free(connection->config);
}

bool connection_serves(const struct connection *connection, str namespace)
{
    if (!connection->namespaces) return true;
    for (const char *const *one = connection->namespaces; *one; one++) {
        if (str_is(namespace, *one)) return true;
    }
    return false;
}
