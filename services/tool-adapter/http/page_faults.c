#include "tool-adapter/http/page_faults.h"

#include "base/attr.h"

bool page_fault_is_failure(const char *type)
{
    static const char *const types[] = {"network", "timeout", "browser"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(type, types[i]) == 0) return true;
    }
    return false;
}

int page_fault_status(const char *type, int http_status)
{
    static const struct {
        const char *type;
        int http_status;
    } rows[] = {{"robots", 403},    {"refused", 403}, {"url", 422},      {"step", 422},
                {"redirects", 508}, {"content", 415}, {"too_large", 413}};
    if (strcmp(type, "robots") == 0 && http_status == 503) return 503;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(type, rows[i].type) == 0) return rows[i].http_status;
    }
    return http_status;
}

json page_fault_new(const char *type, int http_status, const char *detail)
{
    json fault = json_object_new(3);
    json_object_put_text(&fault, "type", json_text_from(type));
    if (http_status > 0) json_object_put_text(&fault, "status", json_int(http_status));
    json_object_put_text(&fault, "detail", json_text_lossy(str_from(detail)));
    return fault;
}
