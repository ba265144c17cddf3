/* API keys. Secrets are made here and shown once; what is kept of them is a hash. */
#include "auth/namespace.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/api/labels.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "key.pb-c.h"

#include <stdio.h>

enum { BUDGET_MAX = 16 << 10 /* bytes */, ROLES_MAX = 16, BUDGET_NAME_SIZE = 64 };
#define OVERLAP_US (INT64_C(24) * 3600 * 1'000'000)

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask asked = {
        .service = &pb__keys__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &asked);
}

/* --- views -------------------------------------------------------------------------------------
 */

static const char *status_of(const Pb__ApiKey *key)
{
    if (key->revoked) return "revoked";
    return key->expires_us > 0 && key->expires_us <= clock_unix_us() ? "expired" : "active";
}

static void put_limit(struct json_writer *w, const char *name, uint32_t most)
{
    if (most > 0) json_put_int(w, name, most);
}

static void put_limits(struct json_writer *w, const Pb__KeyLimits *limits)
{
    json_member(w, "limits");
    json_begin_object(w);
    put_limit(w, "requests_per_minute", limits->requests_per_minute);
    put_limit(w, "starts_per_minute", limits->starts_per_minute);
    put_limit(w, "tokens_per_minute", limits->tokens_per_minute);
    put_limit(w, "parallel", limits->parallel);
    json_end_object(w);
}

static void put_key(struct json_writer *w, const Pb__ApiKey *key, const char *secret)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(key->id));
    json_put_text(w, "name", str_from(key->name));
    json_put_text(w, "namespace", str_from(key->namespace_));
    json_put_texts(w, "roles", key->roles, key->n_roles);
    json_put_text(w, "status", str_from(status_of(key)));
    json_member(w, "labels");
    json_begin_object(w);
    for (size_t i = 0; i < key->n_labels; i++) {
        json_put_text(w, key->labels[i]->key, str_from(key->labels[i]->value));
    }
    json_end_object(w);
    json_put_time(w, "created_at", key->created_us);
    view_text_if(w, "created_by", key->created_by);
    view_time_if(w, "expires_at", key->expires_us);
    view_time_if(w, "rotated_at", key->rotated_us);
    if (key->previous_until_us > clock_unix_us()) {
        json_put_time(w, "previous_secret_until", key->previous_until_us);
    }
    view_time_if(w, "revoked_at", key->revoked_us);
    view_text_if(w, "revoked_by", key->revoked_by);
    view_text_if(w, "budget", key->budget);
    if (key->limits) put_limits(w, key->limits);
    view_time_if(w, "last_used_at", key->last_used_us);
    if (secret) json_put_text(w, "key", str_from(secret));
    json_end_object(w);
}

static void on_key(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    put_key(&response.json, answer->message, NULL);
    api_answer_send(&response, 200, NULL);
}

/* --- secrets -----------------------------------------------------------------------------------
 */

/* In the call's arena, until it is shown. Of the key with that id; empty: of a new one. NULL: that
 * is no id. */
static struct api_key *make_secret(struct api_call *call, str id)
{
    struct api_key *made = arena_alloc(call->arena, sizeof *made);
    bool is_made         = true;
    uint8_t random[API_KEY_RANDOM];
    ASSERT(made);
    random_bytes(random, sizeof random);
    if (id.len == 0) {
        api_key_make(random, made);
    } else {
        is_made = api_key_remake(id, random, made);
    }
    explicit_bzero(random, sizeof random);
    call->state = made;
    return is_made ? made : NULL;
}

/* The answer to a request that was made before has the secret of that one, which is not known any
 * more: it was shown. */
static void send_secret(struct api_call *call, const Pb__ApiKey *key, int http_status,
                        const struct httpd_field *field)
{
    struct api_key *made = call->state;
    bool is_ours         = key->secret_sha256.len == SHA256_SIZE &&
                   memcmp(key->secret_sha256.data, made->secret_sha256, SHA256_SIZE) == 0;
    struct api_answer response;
    api_answer_begin(&response, call);
    put_key(&response.json, key, is_ours ? made->text : NULL);
    explicit_bzero(made, sizeof *made);
    identity_forget(call->api->keys, key->id);
    api_answer_send(&response, http_status, field);
}

/* --- create ------------------------------------------------------------------------------------
 */

static void on_created(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ApiKey *key          = answer->message;
    const char *place              = arena_printf(call->arena, "/v1/api-keys/%s", key->id);
    const struct httpd_field field = {str_from("Location"), str_from(place ? place : "")};
    send_secret(call, key, 201, &field);
}

/* A key reaches no further than the one that makes it. False: the call was answered. */
static bool read_namespace(struct api_call *call, const char **ret_namespace)
{
    const char *scope  = api_namespace(call);
    const char *wanted = api_member(call, call->body, "namespace");
    bool is_all        = strcmp(scope, "*") == 0;
    *ret_namespace     = *wanted ? wanted : is_all ? "default" : scope;
    if (is_all || strcmp(*ret_namespace, scope) == 0) return true;
    api_fail_with(call, "forbidden", (str){}, "namespace: this key makes keys of namespace %s",
                  scope);
    return false;
}

static bool read_duration(struct api_call *call, const char *name, int64_t otherwise,
                          int64_t *ret_us)
{
    json value = json_get_text(call->body, name);
    *ret_us    = otherwise;
    if (json_is(value, JSON_INVALID)) return true;
    if (duration_parse(json_str(value), ret_us) && *ret_us >= 0) return true;
    api_fail_with(call, "invalid_request", (str){}, "%s: a duration such as `30d`", name);
    return false;
}

static bool read_expiry(struct api_call *call, int64_t *ret_us)
{
    int64_t in_us = 0;
    if (!read_duration(call, "expires_in", -1, &in_us)) return false;
    *ret_us = 0;
    if (in_us < 0) return true;
    if (in_us > 0 && !__builtin_add_overflow(clock_unix_us(), in_us, ret_us)) return true;
    api_fail_with(call, "invalid_request", (str){}, "expires_in: a duration such as `30d`");
    return false;
}

static void read_roles(struct api_call *call, Pb__ApiKey *key)
{
    json roles         = json_get_text(call->body, "roles");
    const char **names = arena_alloc(call->arena, ROLES_MAX * sizeof *names);
    ASSERT(names && json_count(roles) <= ROLES_MAX); /* the schema's limit */
    for (size_t i = 0; i < json_count(roles); i++) {
        names[i] = api_text(call, json_str(json_at(roles, i)));
    }
    key->roles   = names;
    key->n_roles = json_count(roles);
}

/* The schema has checked that they are whole numbers within bounds. */
static uint32_t read_limit(json limits, const char *name)
{
    int64_t most = 0;
    return json_to_int(json_get_text(limits, name), &most) && most > 0 ? (uint32_t)most : 0;
}

static void read_limits(struct api_call *call, Pb__ApiKey *key)
{
    json limits = json_get_text(call->body, "limits");
    if (!json_is(limits, JSON_OBJECT) || json_count(limits) == 0) return;
    key->limits = arena_alloc(call->arena, sizeof *key->limits);
    ASSERT(key->limits);
    *key->limits                     = (Pb__KeyLimits)PB__KEY_LIMITS__INIT;
    key->limits->requests_per_minute = read_limit(limits, "requests_per_minute");
    key->limits->starts_per_minute   = read_limit(limits, "starts_per_minute");
    key->limits->tokens_per_minute   = read_limit(limits, "tokens_per_minute");
    key->limits->parallel            = read_limit(limits, "parallel");
}

/* Budgets are named in lower case; that two ids differ in nothing else does not happen. */
static const char *budget_name(struct api_call *call, const char *id)
{
    char name[BUDGET_NAME_SIZE];
    (void)snprintf(name, sizeof name, "key-%s", id);
    for (char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    }
    return api_text(call, str_from(name));
}

/* False: the call was answered. */
static bool read_budget(struct api_call *call, const char *id, struct buf *spec,
                        Pb__PutBudget *budget)
{
    json given                      = json_get_text(call->body, "budget");
    CLEANUP(json_unrefp) json whole = json_ref(given);
    json scope                      = json_object_new(1);
    json_object_put(&scope, str_from("key"), json_text_from(id));
    json_object_put(&whole, str_from("scope"), scope);
    if (!api_print(call, whole, spec)) return false;
    budget->name      = budget_name(call, id);
    budget->spec_json = (ProtobufCBinaryData){.data = (uint8_t *)spec->ptr, .len = spec->len};
    return true;
}

void keys_create(struct api_call *call)
{
    CLEANUP(buf_done) struct buf spec = buf_init(BUDGET_MAX);
    Pb__CreateKey message             = PB__CREATE_KEY__INIT;
    Pb__ApiKey key                    = PB__API_KEY__INIT;
    Pb__PutBudget budget              = PB__PUT_BUDGET__INIT;
    if (!api_make_repeatable(call) || !read_namespace(call, &key.namespace_) ||
        !read_expiry(call, &key.expires_us)) {
        return;
    }
    struct api_key *made = make_secret(call, (str){});
    key.id               = made->id;
    key.name             = api_member(call, call->body, "name");
    key.created_by       = call->identity.key_id;
    key.secret_sha256    = (ProtobufCBinaryData){.data = made->secret_sha256, .len = SHA256_SIZE};
    read_roles(call, &key);
    struct labels labels = labels_of_body(call, json_get_text(call->body, "labels"));
    key.labels           = labels.items;
    key.n_labels         = labels.count;
    read_limits(call, &key);
    message.key = &key;
    if (!json_is(json_get_text(call->body, "budget"), JSON_INVALID)) {
        if (!read_budget(call, made->id, &spec, &budget)) return;
        message.budget = &budget;
    }
    ask(call, "Create", &message, on_created);
}

/* --- others ------------------------------------------------------------------------------------
 */

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__KeyList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_keys; i++) put_key(&response.json, list->keys[i], NULL);
    api_list_send(&response, list->next_token);
}

void keys_list(struct api_call *call)
{
    Pb__ListKeys message = PB__LIST_KEYS__INIT;
    Pb__Page page        = PB__PAGE__INIT;
    if (!api_read_page(call, &page.size, &page.token)) return;
    message.namespace_ = api_namespace(call);
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}

static void fill_place(struct api_call *call, Pb__KeyAt *message)
{
    *message            = (Pb__KeyAt)PB__KEY_AT__INIT;
    message->namespace_ = api_namespace(call);
    message->id         = api_text(call, call->params[0]);
    message->by         = call->identity.key_id;
}

void keys_get(struct api_call *call)
{
    Pb__KeyAt message;
    fill_place(call, &message);
    ask(call, "Get", &message, on_key);
}

static void on_revoked(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ApiKey *key = answer->message;
    identity_forget(call->api->keys, key->id);
    api_send_nothing(call, answer);
}

void keys_revoke(struct api_call *call)
{
    Pb__KeyAt message;
    fill_place(call, &message);
    ask(call, "Revoke", &message, on_revoked);
}

static void on_rotated(struct api_call *call, const struct rpc_answer *answer)
{
    send_secret(call, answer->message, 200, NULL);
}

void keys_rotate(struct api_call *call)
{
    Pb__RotateKey message = PB__ROTATE_KEY__INIT;
    if (!api_make_repeatable(call) ||
        !read_duration(call, "overlap", OVERLAP_US, &message.overlap_us)) {
        return;
    }
    struct api_key *made = make_secret(call, call->params[0]);
    if (!made || call->params[0].len == 0) {
        api_fail_with(call, "not_found", (str){}, "there is no such key");
        return;
    }
    message.namespace_    = api_namespace(call);
    message.id            = made->id;
    message.by            = call->identity.key_id;
    message.secret_sha256 = (ProtobufCBinaryData){.data = made->secret_sha256, .len = SHA256_SIZE};
    ask(call, "Rotate", &message, on_rotated);
}
