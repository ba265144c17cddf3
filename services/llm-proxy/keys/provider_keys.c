#include "llm-proxy/keys/provider_keys.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/secret.h"
#include "llm-proxy/keys/key_seal.h"
#include "provider_key.pb-c.h"
#include "worker/question.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_ARENA_MAX = 8 << 20, LIST_SIZE_MAX = 4 << 20 /* bytes */ };

struct provider_keys {
    struct provider_keys_options options;
    struct key_seal *seal; /* owned; NULL: there is no master secret */
    struct questions questions;
    struct loop_timer tick;
    struct buf rows; /* the list as the scheduler said it last, packed */
    bool is_asking;
};

/* --- what the scheduler has --------------------------------------------------------------------
 */

static void take_list(struct provider_keys *keys, const Pb__ProviderKeyList *list)
{
    size_t size = pb__provider_key_list__get_packed_size(list);
    if (size > LIST_SIZE_MAX) return;
    uint8_t *packed = mem_new(1, size + 1);
    (void)pb__provider_key_list__pack(list, packed);
    str rows     = {.ptr = (const char *)packed, .len = size};
    bool is_news = !str_equal(rows, buf_str(&keys->rows));
    if (is_news) {
        buf_done(&keys->rows);
        keys->rows = buf_init(LIST_SIZE_MAX);
        (void)buf_put_str(&keys->rows, rows);
    }
    free(packed);
    if (is_news) keys->options.changed(keys->options.context);
}

static void on_list(void *context, void *, const struct rpc_answer *answer)
{
    struct provider_keys *keys = context;
    keys->is_asking            = false;
    if (answer->code == STATUS_OK && answer->message) take_list(keys, answer->message);
}

static void on_tick(void *context)
{
    struct provider_keys *keys   = context;
    Pb__ListProviderKeys message = PB__LIST_PROVIDER_KEYS__INIT;
    struct rpc_request request   = {.service        = &pb__provider_keys__descriptor,
                                    .method         = "List",
                                    .message        = &message,
                                    .wait_for_ready = true};
    if (!keys->is_asking) {
        keys->is_asking = question_ask(&keys->questions, NULL, &request, on_list);
    }
    loop_timer_set(keys->options.loop, &keys->tick,
                   loop_now_ms(keys->options.loop) + PROVIDER_KEYS_REFRESH_MS);
}

status provider_keys_new(const struct provider_keys_options *options,
                         struct provider_keys **ret_keys, struct error *reterr)
{
    TRY(key_seal_check(options->master, reterr));
    struct provider_keys *keys = mem_new(1, sizeof *keys);
    keys->options              = *options;
    keys->seal                 = options->master.len > 0 ? key_seal_new(options->master) : NULL;
    keys->rows                 = buf_init(LIST_SIZE_MAX);
    keys->tick                 = (struct loop_timer){.fire = on_tick, .context = keys};
    keys->questions.loop       = options->loop;
    keys->questions.context    = keys;
    keys->questions.timeout_ms = 5 * PROVIDER_KEYS_REFRESH_MS;
    *ret_keys                  = keys;
    return STATUS_OK;
}

void provider_keys_start(struct provider_keys *keys, struct rpc_client *scheduler)
{
    keys->questions.scheduler = scheduler;
    loop_timer_set(keys->options.loop, &keys->tick, loop_now_ms(keys->options.loop));
}

void provider_keys_stop(struct provider_keys *keys)
{
    if (!keys) return;
    keys->questions.scheduler = NULL;
    loop_timer_clear(keys->options.loop, &keys->tick);
}

void provider_keys_freep(struct provider_keys **ref)
{
    struct provider_keys *keys = *ref;
    if (!keys) return;
    key_seal_freep(&keys->seal);
    buf_done(&keys->rows);
    free(keys);
    *ref = NULL;
}

/* --- into a catalog ----------------------------------------------------------------------------
 */

/* Its value is sent to an upstream: not every secret of the process is for that. */
static status read_secret(const struct provider_keys *keys, const char *name, struct arena *arena,
                          str *ret_value, struct error *reterr)
{
    if (!str_starts_with(str_from(name), str_from(keys->options.secrets))) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`%.64s`: the API sets secrets as keys whose names begin with `%.64s` "
                    "(`llm.key_secrets`)",
                    name, keys->options.secrets);
    }
    CLEANUP(json_unrefp) json reference = json_object_new(1);
    json_object_put_text(&reference, "secret", json_text_from(name));
    return config_secret_read(keys->options.config, reference, arena, ret_value, reterr);
}

static status read_row(const struct provider_keys *keys, const Pb__ProviderKey *row,
                       struct arena *arena, struct catalog_key *ret_key, struct error *reterr)
{
    struct provider_key *key = &ret_key->key;
    *ret_key                 = (struct catalog_key){.provider = row->provider};
    key->fingerprint         = row->fingerprint;
    key->name                = row->secret;
    if (*row->secret) return read_secret(keys, row->secret, arena, &key->value, reterr);
    if (!keys->seal) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "llm.key_seal is not set, so it stays shut");
    }
    key->name = arena_printf(arena, "api-%s", row->fingerprint);
    if (!key->name) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    const bytes sealed = {row->sealed.data, row->sealed.len};
    TRY(key_seal_open(keys->seal, str_from(row->provider), str_from(row->fingerprint), sealed,
                      arena, &key->value, reterr));
    (void)log_add_secret(key->value);
    return STATUS_OK;
}

static size_t read_rows(const struct provider_keys *keys, const Pb__ProviderKeyList *list,
                        struct arena *arena, struct catalog_key *ret_keys)
{
    size_t count = 0;
    for (size_t i = 0; i < list->n_keys; i++) {
        struct error error = {};
        status read        = read_row(keys, list->keys[i], arena, &ret_keys[count], &error);
        if (read == STATUS_OK) {
            count++;
            continue;
        }
        log_write(LOG_ERROR,
                  "the key that was set for a provider cannot be used, those of the "
                  "configuration hold",
                  LOG_TEXT_OF("provider", list->keys[i]->provider),
                  LOG_STR("error.message", str_from(error.text)));
    }
    return count;
}

status provider_keys_apply(struct provider_keys *keys, struct catalog *base,
                           struct catalog **ret_catalog, struct error *reterr)
{
    str rows                                 = buf_str(&keys->rows);
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROWS_ARENA_MAX);
    *ret_catalog                             = NULL;
    if (rows.len == 0) {
        *ret_catalog = catalog_ref(base);
        return STATUS_OK;
    }
    Pb__ProviderKeyList *list =
        pb__provider_key_list__unpack(NULL, rows.len, (const uint8_t *)rows.ptr);
    struct catalog_key *found =
        arena && list ? arena_alloc(arena, (list->n_keys + 1) * sizeof *found) : NULL;
    if (found) {
        size_t count = read_rows(keys, list, arena, found);
        *ret_catalog = catalog_with_keys(base, found, count);
        for (size_t i = 0; i < count; i++) {
            explicit_bzero((char *)(uintptr_t)found[i].key.value.ptr, found[i].key.value.len);
        }
    }
    if (list) pb__provider_key_list__free_unpacked(list, NULL);
    if (*ret_catalog) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for the keys of providers");
}

/* --- sealing -----------------------------------------------------------------------------------
 */

/* It goes out in a header. */
static bool is_key(str value)
{
    if (value.len == 0 || value.len > SECRET_MAX) return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~') return false;
    }
    return true;
}

static status seal_value(const struct provider_keys *keys, str value, Pb__ProviderKey *row,
                         struct arena *arena, struct error *reterr)
{
    char fingerprint[KEY_FINGERPRINT_SIZE];
    if (!keys->seal) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "values of keys are not taken, since there is nothing to seal them with: "
                         "name a secret in `llm.key_seal: {secret: NAME}`, or put the key into a "
                         "secret of the llm-proxies and send {\"secret\": NAME}");
    }
    if (!is_key(value)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "value: 1 to %d visible ASCII characters, without spaces", SECRET_MAX);
    }
    (void)log_add_secret(value);
    key_seal_fingerprint(keys->seal, value, fingerprint);
    row->fingerprint = arena_strdup(arena, str_from(fingerprint));
    row->sealed      = (ProtobufCBinaryData){.data = arena_alloc(arena, value.len + SEAL_OVERHEAD),
                                             .len  = value.len + SEAL_OVERHEAD};
    if (!row->fingerprint || !row->sealed.data) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    if (key_seal_close(keys->seal, str_from(row->provider), value, row->sealed.data)) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INTERNAL, "the key could not be sealed");
}

status provider_keys_seal(struct provider_keys *keys, const struct catalog *catalog,
                          const Pb__LlmSealKey *request, Pb__ProviderKey *ret_row,
                          struct arena *arena, struct error *reterr)
{
    const struct provider *provider = catalog_provider(catalog, str_from(request->provider));
    str value  = {.ptr = (const char *)request->value.data, .len = request->value.len};
    str secret = {};
    if (!provider || provider->kind->is_simulated) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no provider `%.64s`%s",
                         request->provider, provider ? " that takes keys: it is simulated" : "");
    }
    ret_row->provider = request->provider;
    ret_row->secret   = request->secret;
    if (!*request->secret) return seal_value(keys, value, ret_row, arena, reterr);
    struct error cause = {};
    if (read_secret(keys, request->secret, arena, &secret, &cause) != STATUS_OK) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "secret: %s", cause.text);
    }
    return STATUS_OK;
}
