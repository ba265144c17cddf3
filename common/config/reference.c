/* Secrets by reference: `{secret: NAME}` names an entry of `secrets`, or a file in its folder. */
#include "base/mem.h"
#include "config/config_internal.h"
#include "config/secret.h"
#include "json/json_pointer.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    NAME_MAX_LEN = 64,      /* bytes of a secret's name */
    DEPTH_MAX    = 128,     /* of a tree: YAML_DEPTH_MAX, and what was set below it */
    POINTER_MAX  = 8 << 10, /* bytes */
};

static const char default_folder[] = "/etc/tutti/secrets";

/* Names become file names, so they are no more than that. */
static bool is_name(str name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN || name.ptr[0] == '.') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c         = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit  = c >= '0' && c <= '9';
        if (!is_letter && !is_digit && c != '-' && c != '_' && c != '.') return false;
    }
    return true;
}

static json secrets_of(const struct config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct config_value *value = &config->values[i];
        if (strcmp(value->option->path, "secrets") == 0) return value->value;
    }
    return json_invalid();
}

static status secret_from_environment(const struct config *config, str variable,
                                      struct arena *arena, str *ret_secret, struct error *reterr)
{
    char *const *at = config->sources.environment;
    for (; at && *at; at++) {
        str whole = str_from(*at);
        if (!str_starts_with(whole, variable) || whole.ptr[variable.len] != '=') continue;
        str value = str_slice(whole, variable.len + 1, whole.len);
        if (value.len == 0 || value.len > SECRET_MAX) break;
        const char *copy = arena_strdup(arena, value);
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "secret: out of memory");
        *ret_secret = (str){.ptr = copy, .len = value.len};
        return STATUS_OK;
    }
    return fail(reterr, STATUS_NOT_FOUND, "secret: the variable " STR_FMT " is not set",
                STR_ARG(variable));
}

/* The file of a secret, `{file: PATH}` or NAME in the folder; NULL if it is no file, or no memory.
 */
static const char *secret_path(const struct config *config, str name, struct arena *arena)
{
    json secrets = secrets_of(config);
    json entry   = json_get(secrets, name);
    json folder  = json_get_text(secrets, "dir");
    json file    = json_get_text(entry, "file");
    if (json_is(file, JSON_TEXT)) return json_str(file).ptr;
    if (!json_is(entry, JSON_INVALID)) return NULL;
    return arena_printf(arena, "%s/" STR_FMT,
                        json_is(folder, JSON_TEXT) ? json_str(folder).ptr : default_folder,
                        STR_ARG(name));
}

const char *config_open_secret(const struct config *config, str name, struct arena *arena)
{
    struct stat info;
    const char *path = is_name(name) ? secret_path(config, name, arena) : NULL;
    return path && stat(path, &info) == 0 && (info.st_mode & S_IROTH) ? path : NULL;
}

status config_named_secret(const struct config *config, str name, struct arena *arena,
                           str *ret_secret, struct error *reterr)
{
    if (!is_name(name) || str_is(name, "dir")) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the name of a secret has letters, digits, `-`, `_` and `.`, and is not `dir`");
    }
    const char *path = secret_path(config, name, arena);
    json variable    = json_get_text(json_get(secrets_of(config), name), "env");
    str secret       = {};
    if (path) {
        TRY(secret_read(arena, path, &secret, reterr));
    } else if (json_is(variable, JSON_TEXT)) {
        TRY(secret_from_environment(config, json_str(variable), arena, &secret, reterr));
    } else {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "secrets." STR_FMT " must be {file: PATH} or {env: NAME}", STR_ARG(name));
    }
    log_add_secret(secret);
    *ret_secret = secret;
    return STATUS_OK;
}

status config_secret_read(const struct config *config, json reference, struct arena *arena,
                          str *ret_secret, struct error *reterr)
{
    json name = json_get_text(reference, "secret");
    if (!json_is(name, JSON_TEXT) || json_count(reference) != 1) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a secret is given as {secret: NAME}");
    }
    return config_named_secret(config, json_str(name), arena, ret_secret, reterr);
}

/* --- literal secrets ---------------------------------------------------------------------------
 */

static bool is_secret_key(str key)
{
    static const char *const names[] = {
        "api_key",      "apikey",        "x-api-key",   "password",    "passphrase",
        "access_token", "client_secret", "private_key", "secret_key",  "authorization",
        "bot_token",    "auth_token",    "api_token",   "signing_key", "webhook_secret",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (key.len == strlen(names[i]) && strncasecmp(key.ptr, names[i], key.len) == 0) {
            return true;
        }
    }
    return false;
}

struct level {
    json container;
    size_t position;
    size_t pointer_len;
};

static void check_member(struct config_loader *loader, const struct config_value *value,
                         const struct buf *pointer, str key, json member)
{
    if (!json_is(member, JSON_TEXT) || !is_secret_key(key)) return;
    struct config_source source = value->source;
    if (source.origin == CONFIG_FROM_FILE) {
        struct yaml_place place = yaml_place_of(loader->config->document, buf_str(pointer));
        source.line             = place.line;
        source.column           = place.column;
        source.pointer          = config_keep(loader->config, buf_str(pointer));
    }
    config_loader_found(loader, &source, "write {secret: NAME}, and put the value into a file",
                        "`" STR_FMT "` is a secret, which is given by reference only",
                        STR_ARG(key));
}

void config_find_literals(struct config_loader *loader, const struct config_value *value)
{
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    struct level *levels                 = mem_new(DEPTH_MAX, sizeof *levels);
    size_t depth                         = 0;
    if (value->source.pointer) (void)buf_put_text(&pointer, value->source.pointer);
    if (json_count(value->value) > 0) {
        levels[depth++] = (struct level){.container = value->value, .pointer_len = pointer.len};
    }
    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        if (level->position == json_count(level->container)) {
            depth--;
            continue;
        }
        size_t i    = level->position++;
        bool is_map = json_is(level->container, JSON_OBJECT);
        json member = is_map ? json_value_at(level->container, i) : json_at(level->container, i);
        if (pointer.ptr) pointer.len = level->pointer_len;
        pointer.is_full = false;
        if (is_map) {
            (void)json_pointer_add(&pointer, json_key_at(level->container, i));
            check_member(loader, value, &pointer, json_key_at(level->container, i), member);
        } else {
            (void)json_pointer_add_index(&pointer, i);
        }
        if (json_count(member) > 0 && depth < DEPTH_MAX) {
            levels[depth++] = (struct level){.container = member, .pointer_len = pointer.len};
        }
    }
    free(levels);
}
