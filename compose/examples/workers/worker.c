/* A worker in C without an SDK: cc worker.c -lcurl -o worker; TUTTI_URL, TUTTI_API_KEY, ./worker
 * [QUEUE]. It takes one job at a time and finds what it needs in the JSON by hand; use a parser for
 * more. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char answer[1 << 20];
static size_t answer_len;

static size_t take(char *data, size_t size, size_t count, void *unused)
{
    (void)unused;
    if (answer_len + size * count >= sizeof answer) return 0;
    memcpy(answer + answer_len, data, size * count);
    answer_len += size * count;
    answer[answer_len] = '\0';
    return size * count;
}

static long post(const char *url, const char *path, const char *body)
{
    char line[512];
    long code                  = 0;
    CURL *curl                 = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(line, sizeof line, "Authorization: Bearer %s", getenv("TUTTI_API_KEY"));
    headers = curl_slist_append(headers, line);
    snprintf(line, sizeof line, "%s%s", url, path);
    answer[answer_len = 0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, line);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    if (curl_easy_perform(curl) == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

/* The text of the first member `"key":"..."`; its escapes stay as they are, so it can be sent on.
 */
static const char *member(const char *key, char *out, size_t size)
{
    char *from = strstr(answer, key), *to;
    if (!from) return "";
    from += strlen(key);
    for (to = from; *to && *to != '"'; to++) to += *to == '\\';
    snprintf(out, size, "%.*s", (int)(to - from), from);
    return out;
}

int main(int argc, char **argv)
{
    const char *url = getenv("TUTTI_URL") ? getenv("TUTTI_URL") : "http://127.0.0.1:8080";
    static char id[64], token[512], function[128], text[4096], path[256], body[8192];
    for (;;) {
        snprintf(path, sizeof path, "/v1/queues/%s/poll", argc > 1 ? argv[1] : "words");
        if (post(url, path,
                 "{\"worker\": \"c\", \"wait\": \"30s\","
                 " \"functions\": [\"worker.count\", \"worker.shout\"]}") != 200) {
            continue;
        }
        member("\"id\":\"", id, sizeof id);
        member("\"lease_token\":\"", token, sizeof token);
        member("\"function\":\"", function, sizeof function);
        member("\"text\":\"", text, sizeof text);
        int count = 0, in_word = 0;
        for (char *c = text; *c; c++) {
            count += *c != ' ' && !in_word;
            in_word = *c != ' ';
            if (*c >= 'a' && *c <= 'z' && (c == text || c[-1] != '\\')) *c -= 'a' - 'A';
        }
        int is_count = strcmp(function, "worker.count") == 0;
        snprintf(path, sizeof path, "/v1/jobs/%s/complete", id);
        if (is_count) {
            snprintf(body, sizeof body, "{\"lease_token\": \"%s\", \"output\": {\"count\": %d}}",
                     token, count);
        } else {
            snprintf(body, sizeof body, "{\"lease_token\": \"%s\", \"output\": {\"text\": \"%s\"}}",
                     token, text);
        }
        post(url, path, body); /* 409: the lease is lost, somebody else does it */
    }
}
