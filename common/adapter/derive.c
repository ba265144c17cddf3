#include "adapter/derive.h"

#include "adapter/signature.h"
#include "base/buf.h"
#include "base/hash.h"

/* Of all ids that manifests derive; any constant will do, and it must never change. */
static const uint8_t uuid_namespace[UUID_SIZE] = {0x6e, 0x1f, 0x9c, 0x5a, 0x2b, 0x7d, 0x4e, 0x83,
                                                  0x9a, 0x40, 0xd1, 0x35, 0xc8, 0x07, 0xfb, 0x62};

void derive_uuid(str name, char text[static UUID_TEXT_SIZE])
{
    uuid5(uuid_namespace, name, text);
}

static json hex_new(const uint8_t digest[static SHA256_SIZE])
{
    char text[2 * SHA256_SIZE + 1];
    hex_encode(digest, SHA256_SIZE, text);
    return json_text_from(text);
}

static json base64_new(str raw)
{
    size_t len                        = base64_size(raw.len);
    CLEANUP(buf_done) struct buf text = buf_init(len + 1);
    base64_encode(raw.ptr, raw.len, buf_reserve(&text, len + 1));
    return json_text_new((str){.ptr = text.ptr, .len = len});
}

static json derived_new(enum derivation_kind kind, str text, str secret)
{
    uint8_t digest[SHA256_SIZE];
    char uuid[UUID_TEXT_SIZE];
    switch (kind) {
    case DERIVE_SHA256: sha256(bytes_from(text), digest); return hex_new(digest);
    case DERIVE_HMAC:
        hmac_sha256(bytes_from(secret), bytes_from(text), digest);
        return hex_new(digest);
    case DERIVE_UUID5: uuid5(uuid_namespace, text, uuid); return json_text_from(uuid);
    case DERIVE_BASE64: return base64_new(text);
    case DERIVE_PRESIGN: break; /* not made of a text */
    }
    return json_invalid();
}

static status not_text(const struct derivation *entry, json value, struct error *reterr)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`derive.%s` needs a text, not %s", entry->name,
                json_kind_name(value));
}

/* `*ret_derived` is owned. */
static status derive_value(const struct derivation *entry, json value, str secret,
                           json *ret_derived, struct error *reterr)
{
    if (json_is(value, JSON_TEXT)) {
        *ret_derived = derived_new(entry->kind, json_str(value), secret);
        return STATUS_OK;
    }
    if (!json_is(value, JSON_ARRAY)) return not_text(entry, value, reterr);
    CLEANUP(json_unrefp) json list = json_array_new(json_count(value));
    for (size_t i = 0; i < json_count(value); i++) {
        json one = json_at(value, i);
        if (!json_is(one, JSON_TEXT)) return not_text(entry, one, reterr);
        json_array_push(&list, derived_new(entry->kind, json_str(one), secret));
    }
    *ret_derived = json_take(&list);
    return STATUS_OK;
}

static status derive_one(const struct manifest_action *action, const struct derivation *entry,
                         const struct secret_source *secrets, json scope, struct arena *arena,
                         json *ret_derived, struct error *reterr)
{
    str secret = {};
    if (entry->secret && !secrets) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "`derive.%s` needs the secret `%s`",
                    entry->name, entry->secret);
    }
    if (entry->secret) TRY(secrets->find(entry->secret, &secret, reterr, secrets->context));
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error error              = {};
    status code = formula_eval(entry->text, scope, scope_now_us(scope), &value, &error);
    if (code != STATUS_OK) return fail(reterr, code, "`derive.%s`: %s", entry->name, error.text);
    if (entry->kind == DERIVE_PRESIGN) {
        return signature_presign(action->manifest, secrets, scope, value, arena, ret_derived,
                                 reterr);
    }
    return derive_value(entry, value, secret, ret_derived, reterr);
}

status derive_all(const struct manifest_action *action, const struct secret_source *secrets,
                  struct arena *arena, json *scope, struct error *reterr)
{
    CLEANUP(json_unrefp) json derived = json_object_new(action->derive_count);
    for (size_t i = 0; i < action->derive_count; i++) {
        json value = json_invalid();
        TRY(derive_one(action, &action->derive[i], secrets, *scope, arena, &value, reterr));
        json_object_put_text(&derived, action->derive[i].name, value);
    }
    scope_put(scope, "derived", json_take(&derived));
    return STATUS_OK;
}
