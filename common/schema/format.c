/* Formats that can be checked, each by the grammar of its standard. */
#include "base/clock.h"
#include "base/utf8.h"
#include "css/selector.h"
#include "schema/schema_internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The number in the digits [from, to), or -1. */
static int number_in(str text, size_t from, size_t to)
{
    if (to > text.len) return -1;
    int value = 0;
    for (size_t i = from; i < to; i++) {
        if (!is_digit(text.ptr[i])) return -1;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

static bool is_date(str text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-') return false;
    int year  = number_in(text, 0, 4);
    int month = number_in(text, 5, 7);
    int day   = number_in(text, 8, 10);
    if (year < 0 || month < 1 || month > 12 || day < 1) return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && is_leap);
}

/* Minutes east of UTC at the end of a time; false if there is no offset. */
static bool offset_from(str text, int *ret_minutes)
{
    *ret_minutes = 0;
    if (text.len == 1) return text.ptr[0] == 'Z' || text.ptr[0] == 'z';
    if (text.len != 6 || text.ptr[3] != ':') return false;
    int hours   = number_in(text, 1, 3);
    int minutes = number_in(text, 4, 6);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
    *ret_minutes = (hours * 60 + minutes) * (text.ptr[0] == '-' ? -1 : 1);
    return text.ptr[0] == '+' || text.ptr[0] == '-';
}

/* RFC 3339: a leap second is one only at the end of a day in UTC. */
static bool is_time(str text)
{
    if (text.len < 9 || text.ptr[2] != ':' || text.ptr[5] != ':') return false;
    int hour   = number_in(text, 0, 2);
    int minute = number_in(text, 3, 5);
    int second = number_in(text, 6, 8);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    size_t at = 8;
    if (text.ptr[at] == '.') {
        size_t digits = at + 1;
        while (digits < text.len && is_digit(text.ptr[digits])) digits++;
        if (digits == at + 1) return false;
        at = digits;
    }
    int offset = 0;
    if (!offset_from(str_slice(text, at, text.len), &offset)) return false;
    int utc = (hour * 60 + minute - offset + 2 * 24 * 60) % (24 * 60);
    return second < 60 || utc == 24 * 60 - 1;
}

static bool is_date_time(str text)
{
    if (text.len < 11 || (text.ptr[10] != 'T' && text.ptr[10] != 't')) return false;
    return is_date(str_slice(text, 0, 10)) && is_time(str_slice(text, 11, text.len));
}

/* Consumes digits and one of `units`, in their order, each at most once. */
static bool eat_units(str *text, const char *units, unsigned *ret_count)
{
    while (text->len > 0 && is_digit(text->ptr[0])) {
        size_t digits = 0;
        while (digits < text->len && is_digit(text->ptr[digits])) digits++;
        if (digits == text->len) return false;
        const char *unit = strchr(units, text->ptr[digits]);
        if (!unit || !*unit) return false;
        units = unit + 1;
        *text = str_slice(*text, digits + 1, text->len);
        ++*ret_count;
    }
    return true;
}

/* RFC 3339, appendix A: parts without gaps, weeks alone. */
static bool is_duration(str text)
{
    if (text.len < 3 || text.ptr[0] != 'P') return false;
    if (text.ptr[text.len - 1] == 'W') {
        return number_in(text, 1, text.len - 1) >= 0;
    }
    unsigned count = 0;
    text           = str_slice(text, 1, text.len);
    str dates      = text;
    if (!eat_units(&text, "YMD", &count)) return false;
    if (count == 2 && memchr(dates.ptr, 'Y', dates.len - text.len) &&
        memchr(dates.ptr, 'D', dates.len - text.len)) {
        return false; /* years and days without months */
    }
    if (text.len == 0) return count > 0;
    if (text.ptr[0] != 'T') return false;
    text           = str_slice(text, 1, text.len);
    str times      = text;
    unsigned parts = 0;
    if (!eat_units(&text, "HMS", &parts) || parts == 0 || text.len > 0) return false;
    return !(parts == 2 && memchr(times.ptr, 'H', times.len) && memchr(times.ptr, 'S', times.len));
}

static bool is_label(str text)
{
    if (text.len == 0 || text.len > 63) return false;
    if (text.ptr[0] == '-' || text.ptr[text.len - 1] == '-') return false;
    if (text.len >= 4 && text.ptr[2] == '-' && text.ptr[3] == '-' &&
        !str_starts_with(text, str_from("xn--"))) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_letter(c) && !is_digit(c) && c != '-') return false;
    }
    return true;
}

static bool is_hostname(str text)
{
    if (text.len == 0 || text.len > 253) return false;
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.') continue;
        if (!is_label(str_slice(text, from, i))) return false;
        from = i + 1;
    }
    return true;
}

static bool is_ipv4(str text)
{
    size_t from   = 0;
    unsigned part = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.') continue;
        if (i == from || i - from > 3 || (i - from > 1 && text.ptr[from] == '0')) return false;
        int value = number_in(text, from, i);
        if (value < 0 || value > 255) return false;
        from = i + 1;
        part++;
    }
    return part == 4;
}

/* Groups of hexadecimal digits between colons; the last may be an IPv4 address, which counts as
 * two. -1: they are none. */
static int count_groups(str text)
{
    int groups  = 0;
    size_t from = 0;
    if (text.len == 0) return 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ':') continue;
        str group = str_slice(text, from, i);
        from      = i + 1;
        groups++;
        if (i == text.len && is_ipv4(group)) return groups + 1;
        if (group.len == 0 || group.len > 4) return -1;
        for (size_t k = 0; k < group.len; k++) {
            if (!is_hex(group.ptr[k])) return -1;
        }
    }
    return groups;
}

/* Eight groups, or fewer around one `::`. */
static bool is_ipv6(str text)
{
    const char *gap = text.len ? memmem(text.ptr, text.len, "::", 2) : NULL;
    if (!gap) return count_groups(text) == 8;
    str head = str_slice(text, 0, (size_t)(gap - text.ptr));
    str tail = str_slice(text, head.len + 2, text.len);
    if (head.len > 0 && memchr(head.ptr, '.', head.len)) return false; /* IPv4 stands last */
    int before = count_groups(head);
    int after  = count_groups(tail);
    return before >= 0 && after >= 0 && before + after < 8;
}

static bool is_mail_char(char c)
{
    return is_letter(c) || is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_quoted_local(str text)
{
    if (text.len < 2 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"') return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.ptr[i] == '"') return false;
        if (text.ptr[i] != '\\') continue;
        if (i + 2 >= text.len) return false; /* it would escape the closing quote */
        i++;
    }
    return true;
}

static bool is_local(str text)
{
    if (text.len == 0 || text.len > 64) return false;
    if (is_quoted_local(text)) return true;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dot = text.ptr[i] == '.';
        if (!is_dot && !is_mail_char(text.ptr[i])) return false;
        if (is_dot && (i == 0 || i + 1 == text.len || text.ptr[i + 1] == '.')) return false;
    }
    return true;
}

static bool is_email(str text)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@') at--;
    if (at == 0 || !is_local(str_slice(text, 0, at - 1))) return false;
    str domain = str_slice(text, at, text.len);
    if (domain.len > 2 && domain.ptr[0] == '[' && domain.ptr[domain.len - 1] == ']') {
        str address = str_slice(domain, 1, domain.len - 1);
        if (!str_starts_with(address, str_from("IPv6:"))) return is_ipv4(address);
        return is_ipv6(str_slice(address, 5, address.len));
    }
    return is_hostname(domain);
}

static bool is_uuid(str text)
{
    if (text.len != 36) return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.ptr[i] != '-' : !is_hex(text.ptr[i])) return false;
    }
    return true;
}

static bool is_json_pointer(str text)
{
    if (text.len > 0 && text.ptr[0] != '/') return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '~') continue;
        if (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')) return false;
    }
    return true;
}

static bool is_relative_json_pointer(str text)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[digits])) digits++;
    if (digits == 0 || (digits > 1 && text.ptr[0] == '0')) return false;
    str rest = str_slice(text, digits, text.len);
    return str_is(rest, "#") || is_json_pointer(rest);
}

static bool is_regex(str text)
{
    struct regex *regex = NULL;
    status code         = regex_compile(text, REGEX_ECMA, &regex, NULL);
    regex_free(regex);
    return code == STATUS_OK;
}

/* Ours: what it means to match can be said of the text alone. */
static bool is_css_selector(str text)
{
    CLEANUP(selector_freep) struct selector *selector = NULL;
    return selector_parse(text, &selector, NULL) == STATUS_OK;
}

static const struct schema_format formats[] = {
    {"date-time", is_date_time, "must be a date and time such as 2026-11-22T10:00:00Z"},
    {"date", is_date, "must be a date such as 2026-11-22"},
    {"time", is_time, "must be a time with its offset such as 10:00:00Z"},
    {"duration", is_duration, "must be a duration such as PT1H30M"},
    {"email", is_email, "must be an e-mail address"},
    {"hostname", is_hostname, "must be a host name"},
    {"ipv4", is_ipv4, "must be an IPv4 address"},
    {"ipv6", is_ipv6, "must be an IPv6 address"},
    {"uri", schema_is_uri, "must be a URI such as https://example.org/"},
    {"uri-reference", schema_is_uri_reference, "must be a URI or a part of one"},
    {"iri", schema_is_iri, "must be an IRI such as https://example.org/"},
    {"iri-reference", schema_is_iri_reference, "must be an IRI or a part of one"},
    {"uuid", is_uuid, "must be a UUID"},
    {"json-pointer", is_json_pointer, "must be a JSON pointer such as /a/0"},
    {"relative-json-pointer", is_relative_json_pointer,
     "must be a relative JSON pointer such as 1/a"},
    {"regex", is_regex, "must be a regular expression"},
    {SCHEMA_FORMAT_SELECTOR, is_css_selector, "must be a CSS selector such as ul.list > li"},
};

const struct schema_format *schema_format_find(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_is(name, formats[i].name)) return &formats[i];
    }
    return NULL;
}
