#include "profile.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/file.h"
#include "json/json_text.h"

#include <ctype.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>

enum { ARGUMENTS_MAX = 6, NAME_MAX_BYTES = 64 };

/* Of Linux 6.6 and later, which libseccomp 2.5 does not know yet. */
static const char *const young[] = {"fchmodat2"};

static void release(scmp_filter_ctx *filter)
{
    seccomp_release(*filter);
}

/* --- reading ---------------------------------------------------------------------------------- */

static status wrong(struct error *reterr, const char *what, str value)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "profile: %s: " STR_FMT, what, STR_ARG(value));
}

static status check_members(json object, const char *const *known, size_t count,
                            struct error *reterr)
{
    for (size_t i = 0; i < json_count(object); i++) {
        size_t at = 0;
        while (at < count && !str_is(json_key_at(object, i), known[at])) at++;
        if (at == count) return wrong(reterr, "no such member", json_key_at(object, i));
    }
    return STATUS_OK;
}

static str text_of(json object, const char *name)
{
    json value = json_get_text(object, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : str_from("");
}

static status read_action(json object, const char *action_name, const char *error_name, int denied,
                          uint32_t *ret_action, struct error *reterr)
{
    str action     = text_of(object, action_name);
    int64_t number = EPERM;
    json given     = json_get_text(object, error_name);
    if (str_is(action, "SCMP_ACT_ALLOW")) {
        *ret_action = SCMP_ACT_ALLOW;
        return STATUS_OK;
    }
    if (!str_is(action, "SCMP_ACT_ERRNO")) {
        return wrong(reterr, "no action that is known here", action);
    }
    if (given.kind != JSON_INVALID && !json_to_int(given, &number)) {
        return wrong(reterr, "no number", str_from(error_name));
    }
    *ret_action = SCMP_ACT_ERRNO((uint32_t)(denied ? denied : number));
    return STATUS_OK;
}

static status read_argument(json given, struct scmp_arg_cmp *ret_argument, struct error *reterr)
{
    static const char *const members[] = {"index", "value", "valueTwo", "op"};
    int64_t index                      = 0;
    int64_t value                      = 0;
    int64_t second                     = 0;
    str comparison                     = text_of(given, "op");
    TRY(check_members(given, members, ARRAY_LEN(members), reterr));
    bool is_number = json_to_int(json_get_text(given, "index"), &index) &&
                     json_to_int(json_get_text(given, "value"), &value);
    bool is_masked = str_is(comparison, "SCMP_CMP_MASKED_EQ");
    if (is_masked) is_number = is_number && json_to_int(json_get_text(given, "valueTwo"), &second);
    if (!is_number || index < 0 || index >= ARGUMENTS_MAX) {
        return wrong(reterr, "no argument of a call", comparison);
    }
    if (!is_masked && !str_is(comparison, "SCMP_CMP_EQ")) {
        return wrong(reterr, "no comparison that is known here", comparison);
    }
    *ret_argument = (struct scmp_arg_cmp){
        .arg     = (unsigned)index,
        .op      = is_masked ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ,
        .datum_a = (scmp_datum_t)value,
        .datum_b = (scmp_datum_t)second,
    };
    return STATUS_OK;
}

/* --- the filter ------------------------------------------------------------------------------- */

static status check_call(const char *name, int *ret_number, struct error *reterr)
{
    *ret_number = seccomp_syscall_resolve_name(name);
    if (*ret_number != __NR_SCMP_ERROR) return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(young); i++) {
        if (strcmp(young[i], name) == 0) return STATUS_OK;
    }
    return wrong(reterr, "no such call", str_from(name));
}

static status add_rule(scmp_filter_ctx filter, json given, struct error *reterr)
{
    static const char *const members[] = {"comment", "names", "action", "errnoRet", "args"};
    struct scmp_arg_cmp arguments[ARGUMENTS_MAX] = {};
    json names                                   = json_get_text(given, "names");
    json args                                    = json_get_text(given, "args");
    unsigned count                               = (unsigned)json_count(args);
    uint32_t action                              = 0;
    TRY(check_members(given, members, ARRAY_LEN(members), reterr));
    TRY(read_action(given, "action", "errnoRet", 0, &action, reterr));
    if (json_count(names) == 0 || count > ARGUMENTS_MAX) {
        return wrong(reterr, "no names, or too many args", text_of(given, "comment"));
    }
    for (unsigned i = 0; i < count; i++) {
        TRY(read_argument(json_at(args, i), &arguments[i], reterr));
    }
    for (size_t i = 0; i < json_count(names); i++) {
        const char *name = json_str(json_at(names, i)).ptr;
        int number       = 0;
        TRY(check_call(name, &number, reterr));
        if (number == __NR_SCMP_ERROR) continue;
        if (seccomp_rule_add_array(filter, action, number, count, arguments) < 0) {
            return wrong(reterr, "no rule", str_from(name));
        }
    }
    return STATUS_OK;
}

/* "SCMP_ARCH_X86_64" is "x86_64" to the library. The one it runs on is there already. */
static status add_architecture(scmp_filter_ctx filter, json given, struct error *reterr)
{
    static const char before[] = "SCMP_ARCH_";
    char name[NAME_MAX_BYTES]  = "";
    str text                   = json_is(given, JSON_TEXT) ? json_str(given) : str_from("");
    size_t skip                = sizeof before - 1;
    if (!str_starts_with(text, str_from(before)) || text.len - skip >= sizeof name) {
        return wrong(reterr, "no architecture", text);
    }
    for (size_t i = skip; i < text.len; i++) {
        name[i - skip] = (char)tolower((unsigned char)text.ptr[i]);
    }
    uint32_t token = seccomp_arch_resolve_name(name);
    int added      = token ? seccomp_arch_add(filter, token) : -EINVAL;
    return added == 0 || added == -EEXIST ? STATUS_OK : wrong(reterr, "no architecture", text);
}

static status fill(scmp_filter_ctx filter, json profile, const struct profile_change *change,
                   struct error *reterr)
{
    json architectures = json_get_text(profile, "architectures");
    json rules         = json_get_text(profile, "syscalls");
    for (size_t i = 0; i < json_count(architectures); i++) {
        TRY(add_architecture(filter, json_at(architectures, i), reterr));
    }
    for (size_t i = 0; i < json_count(rules); i++) {
        TRY(add_rule(filter, json_at(rules, i), reterr));
    }
    if (!change->also) return STATUS_OK;
    int number = seccomp_syscall_resolve_name(change->also);
    bool added = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0;
    return added ? STATUS_OK : wrong(reterr, "no such call", str_from(change->also));
}

status profile_load(const char *path, const struct profile_change *change, struct error *reterr)
{
    static const char *const members[] = {"defaultAction", "defaultErrnoRet", "architectures",
                                          "syscalls"};
    CLEANUP(buf_done) struct buf text  = buf_init(PROFILE_SIZE_MAX);
    CLEANUP(json_unrefp) json profile  = json_invalid();
    uint32_t action                    = 0;
    TRY(file_read(path, &text, reterr));
    TRY(json_parse(buf_str(&text), NULL, &profile, NULL, reterr));
    TRY(check_members(profile, members, ARRAY_LEN(members), reterr));
    TRY(read_action(profile, "defaultAction", "defaultErrnoRet", change->denied, &action, reterr));
    CLEANUP(release) scmp_filter_ctx filter = seccomp_init(action);
    if (!filter) return wrong(reterr, "no filter", str_from(path));
    TRY(fill(filter, profile, change, reterr));
    int loaded = seccomp_load(filter);
    if (loaded == 0) return STATUS_OK;
    errno = -loaded;
    return fail(reterr, STATUS_FAILED_PRECONDITION, "the kernel does not take the filter: %m");
}

int profile_call(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}
