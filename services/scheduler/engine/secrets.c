#include "scheduler/engine/secrets.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "scheduler/run/state.h"
#include "workflow/workflow.h"
#include "json/json_text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, KEY_SIZE = 256 /* "namespace/name" */ };

/* A secret that was asked for, there or not. */
struct entry {
    int64_t looked_ms;
    bool is_kept;     /* of the environment: it does not change */
    char *path;       /* owned; NULL: none */
    struct stat seen; /* of the file that `value` came from */
    json value;       /* owned; JSON_INVALID: there is none */
};

struct secrets {
    struct secrets_place place;
    struct map *entries; /* owned entries, by key */
};

struct secrets *secrets_new(const struct secrets_place *place)
{
    struct secrets *secrets = mem_new(1, sizeof *secrets);
    *secrets = (struct secrets){.place = *place, .entries = map_new(SECRETS_KEPT_MAX)};
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    if (!secrets) return;
    size_t cursor = 0;
    str key;
    void *value;
    while (map_next(secrets->entries, &cursor, &key, &value)) {
        struct entry *entry = value;
        json_unref(entry->value);
        free(entry->path);
        free(entry);
    }
    map_free(secrets->entries);
    free(secrets);
}

void secrets_freep(struct secrets **secrets)
{
    secrets_free(*secrets);
    *secrets = NULL;
}

/* --- values ------------------------------------------------------------------------------------
 */

static void hide_in_log(json value)
{
    if (json_is(value, JSON_TEXT)) (void)log_add_secret(json_str(value));
    for (size_t i = 0; json_is(value, JSON_OBJECT) && i < json_count(value); i++) {
        json member = json_value_at(value, i);
        if (json_is(member, JSON_TEXT)) (void)log_add_secret(json_str(member));
    }
}

/* A map if it is one in JSON, else the text itself, without the newline that editors add. */
static json value_of(str text, const char *name)
{
    json value = json_invalid();
    if (text.len > 0 && text.ptr[text.len - 1] == '\n') text.len--;
    if (text.len > 0 && text.ptr[text.len - 1] == '\r') text.len--;
    if (text.len == 0 || text.len > SECRET_SIZE_MAX || utf8_valid_prefix(text) < text.len ||
        memchr(text.ptr, '\0', text.len)) {
        log_write(LOG_WARN, "secret.unusable", LOG_TEXT_OF("name", name),
                  LOG_TEXT_OF("reason", "a secret is a text in UTF-8 of 1 byte to 64 KiB"));
        return value;
    }
    if (text.ptr[0] != '{' || json_parse(text, NULL, &value, NULL, NULL) != STATUS_OK) {
        value = json_text_new(text);
    }
    hide_in_log(value);
    return value;
}

static void read_file(struct entry *entry)
{
    size_t size = SECRET_SIZE_MAX + 3; /* its newline, and a byte more to see that it is too long */
    size_t len  = 0;
    json_replace(&entry->value, json_invalid());
    int fd = open(entry->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return;
    char *buffer = mem_new(size, 1);
    for (ssize_t got = 1; got > 0 && len<size; len += got> 0 ? (size_t)got : 0) {
        got = read(fd, buffer + len, size - len);
    }
    (void)close(fd);
    entry->value = value_of((str){.ptr = buffer, .len = len}, entry->path);
    explicit_bzero(buffer, size);
    free(buffer);
    if (entry->seen.st_mode & S_IROTH) {
        log_write(LOG_WARN, "secret.readable_by_others", LOG_TEXT_OF("path", entry->path));
    }
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* `path` names it from now on; taken. */
static void look_at_file(struct entry *entry, char *path)
{
    struct stat now = {};
    free(entry->path);
    entry->path = path;
    if (stat(entry->path, &now) || !S_ISREG(now.st_mode)) {
        json_replace(&entry->value, json_invalid());
        entry->seen = (struct stat){};
    } else if (!is_same_file(&now, &entry->seen)) {
        entry->seen = now;
        read_file(entry);
    }
}

static void read_environment(const struct secrets *secrets, struct entry *entry, str variable)
{
    entry->is_kept = true;
    for (char *const *at = secrets->place.environment; at && *at; at++) {
        str text = str_from(*at);
        if (!str_starts_with(text, variable) || text.ptr[variable.len] != '=') continue;
        entry->value = value_of(str_slice(text, variable.len + 1, text.len), variable.ptr);
        return;
    }
}

/* --- finding -----------------------------------------------------------------------------------
 */

/* The entry of the configuration; a view. */
static json configured_for(const struct secrets *secrets, str namespace, str name)
{
    return json_get(json_get(secrets->place.configured, namespace), name);
}

static bool use_configured(const struct secrets *secrets, str namespace, str name,
                           struct entry *entry)
{
    json reference = configured_for(secrets, namespace, name);
    json file      = json_get_text(reference, "file");
    json variable  = json_get_text(reference, "env");
    if (json_is(file, JSON_TEXT)) {
        look_at_file(entry, mem_dup(json_str(file).ptr, json_str(file).len));
        return true;
    }
    if (!json_is(variable, JSON_TEXT)) return false;
    if (!entry->is_kept) read_environment(secrets, entry, json_str(variable));
    return true;
}

static bool use_folder(const struct secrets *secrets, str namespace, str name, struct entry *entry)
{
    if (!secrets->place.folder) return false;
    CLEANUP(buf_done) struct buf path = buf_init(PATH_SIZE);
    (void)buf_printf(&path, "%s/" STR_FMT "/" STR_FMT, secrets->place.folder, STR_ARG(namespace),
                     STR_ARG(name));
    if (path.is_full) return false;
    look_at_file(entry, mem_dup(path.ptr, path.len));
    return entry->value.kind != JSON_INVALID;
}

static void look(const struct secrets *secrets, str namespace, str name, struct entry *entry)
{
    if (use_configured(secrets, namespace, name, entry)) return;
    if (use_folder(secrets, namespace, name, entry)) return;
    (void)use_configured(secrets, str_from("*"), name, entry);
}

json secrets_get(struct secrets *secrets, str namespace, str name, int64_t now_ms)
{
    char key[KEY_SIZE];
    /* Both become parts of a path: a definition's namespace is a label, but checked is checked. */
    if (!secret_name_is_valid(namespace) || !secret_name_is_valid(name)) return json_invalid();
    (void)snprintf(key, sizeof key, STR_FMT "/" STR_FMT, STR_ARG(namespace), STR_ARG(name));
    struct entry *entry = map_get(secrets->entries, str_from(key));
    if (!entry) {
        if (map_count(secrets->entries) == SECRETS_KEPT_MAX) return json_invalid();
        entry            = mem_new(1, sizeof *entry);
        entry->looked_ms = now_ms - SECRETS_LOOK_MS;
        (void)map_put(secrets->entries, str_from(key), entry);
    }
    if (now_ms - entry->looked_ms >= SECRETS_LOOK_MS) {
        entry->looked_ms = now_ms;
        look(secrets, namespace, name, entry);
    }
    return json_ref(entry->value);
}

static json get_now(str namespace, str name, void *context)
{
    return secrets_get(context, namespace, name, clock_mono_ms());
}

struct secret_source secrets_source(struct secrets *secrets)
{
    return (struct secret_source){.get = get_now, .context = secrets};
}
