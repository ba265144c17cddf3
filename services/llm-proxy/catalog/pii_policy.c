#include "llm-proxy/catalog/pii_policy.h"

#include "base/assert.h"
#include "config/config_pii.h"
#include "json/json_map.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

enum {
    POINTER_MAX     = 512,
    KINDS_MAX       = 256,      /* bytes of their names */
    ARGUMENTS_MAX   = 64 << 20, /* bytes */
    ARGUMENTS_DEPTH = 64,
    VALUES_MAX      = 1'000'000,
};

struct named_rule {
    str name;
    struct scrub_options options;
};

struct pii_policies {
    bool has_default;
    struct scrub_options options;
    struct named_rule *routes, *namespaces;
    size_t route_count, namespace_count;
};

/* --- reading -----------------------------------------------------------------------------------
 */

struct reader {
    const struct config *config;
    struct arena *arena;
    struct diagnostics *list;
};

/* One rule at `pointer`; false: a finding says why not. */
static bool read_rule(struct reader *reader, const char *pointer, json tree,
                      struct scrub_options *ret_options)
{
    struct error error = {};
    status code        = config_pii_read(reader->config, tree, reader->arena, ret_options, &error);
    if (code != STATUS_OK) {
        config_found(reader->config, reader->list, str_from(pointer), "{ mode: mask }", "%s",
                     error.text);
        return false;
    }
    return true;
}

static size_t read_named(struct reader *reader, const char *section, json map,
                         struct named_rule **ret_rules)
{
    size_t count   = json_is(map, JSON_OBJECT) ? json_count(map) : 0;
    size_t read    = 0;
    bool is_no_map = !json_is(map, JSON_INVALID) && !json_is(map, JSON_OBJECT);
    *ret_rules     = count ? arena_alloc(reader->arena, count * sizeof **ret_rules) : NULL;
    if (is_no_map || count > PII_POLICIES_MAX) {
        config_found(reader->config, reader->list, str_from(section), "",
                     "is a map of names to rules, at most %d", PII_POLICIES_MAX);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
        (void)buf_put_text(&pointer, section);
        (void)json_pointer_add(&pointer, json_key_at(map, i));
        struct named_rule *rule = &(*ret_rules)[read];
        if (!read_rule(reader, pointer.ptr, json_value_at(map, i), &rule->options)) continue;
        const char *name = arena_strdup(reader->arena, json_key_at(map, i));
        ASSERT(name); /* a configuration has at most 512 KiB */
        rule->name = str_from(name);
        read++;
    }
    return read;
}

/* What is left of the tree without its maps is the rule for all. */
static json default_of(json tree)
{
    json rule = json_object_new(json_count(tree));
    for (size_t i = 0; i < json_count(tree); i++) {
        str key = json_key_at(tree, i);
        if (str_is(key, "routes") || str_is(key, "namespaces")) continue;
        json_object_put(&rule, key, json_ref(json_value_at(tree, i)));
    }
    return rule;
}

const struct pii_policies *pii_policies_read(const struct config *config, json tree,
                                             struct arena *arena, struct diagnostics *list)
{
    struct reader reader          = {.config = config, .arena = arena, .list = list};
    struct pii_policies *policies = arena_alloc(arena, sizeof *policies);
    *policies                     = (struct pii_policies){};
    if (!json_is(tree, JSON_OBJECT)) return policies;
    CLEANUP(json_unrefp) json rule = default_of(tree);
    if (json_count(rule) > 0) {
        policies->has_default = read_rule(&reader, "/llm/pii", rule, &policies->options);
    }
    policies->route_count =
        read_named(&reader, "/llm/pii/routes", json_get_text(tree, "routes"), &policies->routes);
    policies->namespace_count = read_named(
        &reader, "/llm/pii/namespaces", json_get_text(tree, "namespaces"), &policies->namespaces);
    return policies;
}

static const struct scrub_options *find(const struct named_rule *rules, size_t count, str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(rules[i].name, name)) return &rules[i].options;
    }
    return NULL;
}

const struct scrub_options *pii_policy_of(const struct pii_policies *policies, str namespace,
                                          str route)
{
    const struct scrub_options *rule = find(policies->routes, policies->route_count, route);
    if (!rule) rule = find(policies->namespaces, policies->namespace_count, namespace);
    if (!rule && policies->has_default) rule = &policies->options;
    return rule && rule->mode != PII_ALLOW ? rule : NULL;
}

/* --- applying ----------------------------------------------------------------------------------
 */

static bool is_one_of(str key, const char *const *names)
{
    for (; *names; names++) {
        if (str_is(key, *names)) return true;
    }
    return false;
}

/* Signatures and the bytes of images are the upstream's or a machine's: a changed one is refused. A
 * long key of an API looks the same, so the member has to be one that holds such things. */
static bool is_base64(str key, str text)
{
    enum { LEN_MIN = 64 };
    static const char *const keys[] = {"data",
                                       "file_data",
                                       "signature",
                                       "thoughtSignature",
                                       "thought_signature",
                                       "encrypted_content",
                                       NULL};
    if (!is_one_of(key, keys)) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c       = text.ptr[i];
        bool belongs = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '+' || c == '/' || c == '-' || c == '_' || c == '=';
        if (!belongs) return false;
    }
    return text.len >= LEN_MIN;
}

/* Of images and files, which are fetched by them; a token in it is meant for that. */
static bool is_address(str key, str text)
{
    static const char *const keys[] = {"url", "image_url", "file_uri", "fileUri", NULL};
    bool has_scheme =
        str_starts_with(text, str_from("https://")) || str_starts_with(text, str_from("http://")) ||
        str_starts_with(text, str_from("gs://")) || str_starts_with(text, str_from("data:"));
    bool has_space = false;
    for (size_t i = 0; i < text.len; i++) has_space |= (unsigned char)text.ptr[i] <= ' ';
    return has_scheme && !has_space && is_one_of(key, keys);
}

/* Arguments of a call travel as a text that is JSON. */
static json apply_arguments(json leaf, struct scrub *scrub)
{
    const struct json_limits limits  = {.depth_max = ARGUMENTS_DEPTH, .values_max = VALUES_MAX};
    CLEANUP(json_unrefp) json value  = json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(ARGUMENTS_MAX);
    status code                      = json_parse(json_str(leaf), &limits, &value, NULL, NULL);
    if (code != STATUS_OK) return scrub_leaf(scrub, leaf);
    CLEANUP(json_unrefp) json scrubbed = scrub_json(scrub, value);
    if (json_equal(scrubbed, value)) return json_invalid();
    return json_print(scrubbed, JSON_COMPACT, &out) ? json_text_new(buf_str(&out))
                                                    : json_text_from("***");
}

/* What a tool was called with or has answered is nobody's protocol: no member of it is special. */
static bool is_of_tool(str key, json value)
{
    static const char *const keys[] = {"input", "args", "response", NULL};
    return json_is(value, JSON_OBJECT) && is_one_of(key, keys);
}

static json apply_one(str key, json leaf, void *context)
{
    if (is_of_tool(key, leaf)) return scrub_json(context, leaf);
    if (!json_is(leaf, JSON_TEXT)) return scrub_leaf(context, leaf);
    if (is_address(key, json_str(leaf)) || is_base64(key, json_str(leaf))) return json_invalid();
    return str_is(key, "arguments") ? apply_arguments(leaf, context) : scrub_leaf(context, leaf);
}

/* Scrubs the members that hold texts. */
static void apply_parts(json body, struct scrub *scrub, json *changed)
{
    static const char *const parts[] = {
        "messages", "system",  "contents", "systemInstruction", "system_instruction",
        "input",    "inputs",  "prompt",   "prediction",        "variables",
        "requests", "content", "user",     "metadata",          "safety_identifier",
        NULL};
    for (const char *const *part = parts; json_is(body, JSON_OBJECT) && *part; part++) {
        json value = json_get_text(body, *part);
        if (json_is(value, JSON_INVALID)) continue;
        CLEANUP(json_unrefp) json scrubbed = json_map_values(value, apply_one, scrub);
        if (scrub_found(scrub)) json_object_put_text(changed, *part, json_take(&scrubbed));
    }
}

/* Tokens are texts that nobody here can read: `[7, 8]`, or a list of such lists. */
static bool has_tokens(json input)
{
    for (size_t i = 0; json_is(input, JSON_ARRAY) && i < json_count(input); i++) {
        json item = json_at(input, i);
        if (json_is_number(item)) return true;
        for (size_t t = 0; json_is(item, JSON_ARRAY) && t < json_count(item); t++) {
            if (json_is_number(json_at(item, t))) return true;
        }
    }
    return false;
}

status pii_policy_apply(const struct scrub_options *rule, json body, json *ret_body,
                        struct error *reterr)
{
    static const char nested[]               = "generateContentRequest"; /* of a count of tokens */
    CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(rule);
    CLEANUP(json_unrefp) json changed        = json_ref(body);
    CLEANUP(json_unrefp) json within         = json_ref(json_get_text(body, nested));
    if (has_tokens(json_get_text(body, "input"))) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "/input: tokens cannot be looked through for personal data: send texts");
    }
    apply_parts(body, scrub, &changed);
    if (json_is(within, JSON_OBJECT)) {
        apply_parts(json_get_text(body, nested), scrub, &within);
        json_object_put_text(&changed, nested, json_take(&within));
    }
    if (rule->mode == PII_BLOCK && scrub_found(scrub)) {
        CLEANUP(buf_done) struct buf kinds = buf_init(KINDS_MAX);
        pii_kinds_print(scrub_found(scrub), &kinds);
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the prompt holds personal data that may not leave: %s", kinds.ptr);
    }
    *ret_body = json_take(&changed);
    return STATUS_OK;
}
