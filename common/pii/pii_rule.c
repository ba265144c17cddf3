#include "pii/pii_rule.h"

enum { NAMES_MAX = 256 /* bytes of a list of names */ };

static status read_mode(json tree, enum pii_mode *ret_mode, struct error *reterr)
{
    json mode = json_get_text(tree, "mode");
    if (json_is(mode, JSON_TEXT) && pii_mode_of(json_str(mode), ret_mode)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`mode` is one of allow, mask, hash, block");
}

static status read_kinds(json kinds, pii_kinds *ret_kinds, struct error *reterr)
{
    CLEANUP(buf_done) struct buf names = buf_init(NAMES_MAX);
    bool is_list                       = json_is(kinds, JSON_ARRAY);
    enum pii_kind kind                 = PII_EMAIL;
    *ret_kinds                         = json_is(kinds, JSON_INVALID) ? PII_DEFAULT : 0;
    if (json_is(kinds, JSON_INVALID)) return STATUS_OK;
    for (size_t i = 0; is_list && i < json_count(kinds); i++) {
        json one = json_at(kinds, i);
        is_list  = json_is(one, JSON_TEXT) && pii_kind_of(json_str(one), &kind);
        *ret_kinds |= PII_BIT(kind);
    }
    if (is_list && *ret_kinds) return STATUS_OK;
    pii_kinds_print(PII_ALL, &names);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`kinds` is a list of: %s", names.ptr);
}

static status check_members(json tree, struct error *reterr)
{
    if (!json_is(tree, JSON_OBJECT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "is a map with `mode`");
    }
    for (size_t i = 0; i < json_count(tree); i++) {
        str key = json_key_at(tree, i);
        if (str_is(key, "mode") || str_is(key, "kinds") || str_is(key, "key")) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`" STR_FMT "` is not one of mode, kinds, key",
                    STR_ARG(str_slice(key, 0, NAMES_MAX)));
    }
    return STATUS_OK;
}

status pii_rule_read(json tree, struct pii_rule *ret_rule, struct error *reterr)
{
    *ret_rule = (struct pii_rule){.key = json_get_text(tree, "key")};
    TRY(check_members(tree, reterr));
    TRY(read_mode(tree, &ret_rule->mode, reterr));
    TRY(read_kinds(json_get_text(tree, "kinds"), &ret_rule->kinds, reterr));
    bool has_key = !json_is(ret_rule->key, JSON_INVALID);
    if (has_key == (ret_rule->mode == PII_HASH)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`key`, a reference to a secret of %d bytes or more, belongs to `mode: hash`",
                SCRUB_KEY_MIN);
}
