#include "llm-proxy/chat/function_names.h"

#include "base/hash.h"
#include "llm-proxy/chat/chat_loss.h"

enum { DIGEST_BYTES = 4 };

/* Names as each protocol takes them. */
struct rule {
    size_t length_max;
    const char *others;    /* beside letters and digits */
    bool begins_by_letter; /* or by "_" */
};

static struct rule rule_of(enum llm_protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_ANTHROPIC: return (struct rule){128, "_-", false};
    case PROTOCOL_GEMINI: return (struct rule){128, "_-.:", true};
    default: return (struct rule){64, "_-", false};
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_allowed(char c, const struct rule *rule)
{
    bool is_other = false;
    for (const char *p = rule->others; *p; p++) is_other = is_other || *p == c;
    return is_letter(c) || (c >= '0' && c <= '9') || is_other;
}

bool function_name_fits(str name, enum llm_protocol protocol)
{
    struct rule rule = rule_of(protocol);
    if (name.len == 0 || name.len > rule.length_max) return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_allowed(name.ptr[i], &rule)) return false;
    }
    return !rule.begins_by_letter || is_letter(name.ptr[0]);
}

/* What fits of it, and a digest of the whole: two names never become one. */
static void make_name(str own, enum llm_protocol protocol,
                      char ret_name[static FUNCTION_NAME_SIZE_MAX])
{
    struct rule rule = rule_of(protocol);
    uint8_t digest[SHA256_SIZE];
    size_t room = rule.length_max - 1 - (size_t)2 * DIGEST_BYTES; /* with the "_" before it */
    size_t used = 0;
    if (rule.begins_by_letter && own.len > 0 && !is_letter(own.ptr[0])) ret_name[used++] = '_';
    for (size_t i = 0; i < own.len && used < room; i++) {
        ret_name[used++] = is_allowed(own.ptr[i], &rule) ? own.ptr[i] : '_';
    }
    ret_name[used++] = '_';
    sha256(bytes_from(own), digest);
    hex_encode(digest, DIGEST_BYTES, ret_name + used); /* terminates it */
}

/* --- a request ---------------------------------------------------------------------------------
 */

struct renaming {
    struct arena *arena;
    struct function_names *names;
    enum llm_protocol protocol;
    bool is_out_of_memory;
};

static str changed(struct renaming *renaming, str name)
{
    struct function_names *names = renaming->names;
    char made[FUNCTION_NAME_SIZE_MAX];
    if (name.len == 0 || function_name_fits(name, renaming->protocol)) return name;
    for (uint32_t i = 0; i < names->count; i++) {
        if (str_equal(names->items[i].own, name)) return names->items[i].sent;
    }
    if (names->count == FUNCTION_NAMES_MAX) return name;
    make_name(name, renaming->protocol, made);
    const char *sent = arena_strdup(renaming->arena, str_from(made));
    const char *own  = arena_strdup(renaming->arena, name);
    if (!sent || !own) {
        renaming->is_out_of_memory = true;
        return name;
    }
    names->items[names->count].own  = (str){.ptr = own, .len = name.len};
    names->items[names->count].sent = str_from(sent);
    return names->items[names->count++].sent;
}

static bool is_named(const struct chat_part *part)
{
    return part->kind == PART_TOOL_CALL && part->name.len > 0;
}

bool function_names_are_needed(const struct chat_request *request, enum llm_protocol protocol)
{
    for (uint32_t i = 0; i < request->tool_count; i++) {
        const struct chat_tool *tool = &request->tools[i];
        if (!tool->is_foreign && !function_name_fits(tool->name, protocol)) return true;
    }
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t k = 0; k < message->part_count; k++) {
            const struct chat_part *part = &message->parts[k];
            if (is_named(part) && !function_name_fits(part->name, protocol)) return true;
        }
    }
    return false;
}

bool function_names_change(struct chat_request *request, enum llm_protocol protocol,
                           struct arena *arena, struct losses *losses,
                           struct function_names *ret_names)
{
    struct renaming renaming = {.arena = arena, .names = ret_names, .protocol = protocol};
    *ret_names               = (struct function_names){};
    ret_names->items         = arena_alloc(arena, FUNCTION_NAMES_MAX * sizeof *ret_names->items);
    if (!ret_names->items) return false;
    for (uint32_t i = 0; i < request->tool_count; i++) {
        struct chat_tool *tool = &request->tools[i];
        if (tool->is_foreign || function_name_fits(tool->name, protocol)) continue;
        tool->name = changed(&renaming, tool->name);
        chat_lose_tool(request, losses, i, "", LOSS_RENAMED,
                       "the upstream does not take this name: it is called otherwise there");
    }
    for (uint32_t i = 0; i < request->message_count; i++) {
        struct chat_message *message = &request->messages[i];
        for (uint32_t k = 0; k < message->part_count; k++) {
            struct chat_part *part = &message->parts[k];
            if (is_named(part)) part->name = changed(&renaming, part->name);
        }
    }
    for (uint32_t i = 0; i < request->allowed_count; i++) {
        request->allowed[i] = changed(&renaming, request->allowed[i]);
    }
    request->choice_name = changed(&renaming, request->choice_name);
    return !renaming.is_out_of_memory;
}

str function_name_own(const struct function_names *names, str sent)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (str_equal(names->items[i].sent, sent)) return names->items[i].own;
    }
    return sent;
}
