#include "language/hosts.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_SIZE = 64 << 10 };

static void add(struct hosts *hosts, str host, const char *port)
{
    char text[HOST_NAME_MAX + 8];
    bool has_port = memchr(host.ptr, ':', host.len);
    (void)snprintf(text, sizeof text, STR_FMT "%s%s", STR_ARG(host), has_port ? "" : ":",
                   has_port ? "" : port);
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->texts[i], text) == 0) return;
    }
    if (hosts->count == HOSTS_MAX) return;
    memcpy(hosts->texts[hosts->count], text, sizeof text);
    hosts->names[hosts->count] = hosts->texts[hosts->count];
    hosts->count++;
}

static void search(struct hosts *hosts, const char *line)
{
    for (const char *at = strstr(line, "://"); at; at = strstr(at + 3, "://")) {
        size_t len    = strspn(at + 3, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789.-:");
        bool is_https = at - line >= 5 && memcmp(at - 5, "https", 5) == 0;
        bool is_http  = at - line >= 4 && memcmp(at - 4, "http", 4) == 0;
        while (len > 0 && strchr(".:-", at[3 + len - 1])) len--;
        if (len > 0 && len < HOST_NAME_MAX && (is_http || is_https)) {
            add(hosts, (str){at + 3, len}, is_https ? "443" : "80");
        }
    }
}

struct hosts *hosts_of(const char *const *files, size_t count)
{
    struct hosts *hosts = mem_new(1, sizeof *hosts);
    char *line          = mem_new(1, LINE_SIZE);
    for (size_t i = 0; i < count; i++) {
        FILE *file = fopen(files[i], "re");
        if (!file) continue;
        while (fgets(line, LINE_SIZE, file)) search(hosts, line);
        (void)fclose(file);
    }
    free(line);
    return hosts;
}

void hosts_freep(struct hosts **hosts)
{
    free(*hosts);
    *hosts = NULL;
}
