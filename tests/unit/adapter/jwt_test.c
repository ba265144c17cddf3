/* Tokens as RFC 7519 and another implementation write them; what no key is. */
#include "adapter/jwt.h"

#include "base/attr.h"
#include "base/private_key.h"
#include "support/cmocka.h"
#include "support/keys.h"
#include "json/json_text.h"

#include <string.h>

/* Made for this test, and used for nothing else. */
static const char pem[] = "-----BEGIN"
                          " PRIVATE KEY-----\n"
                          "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDn2hoclfWxK7Pf\n"
                          "vuOsMPTdSJVOZn0UVIq+TbbpWaI4WzwMLv5i1TQy0r9JDPfR0O0r6uiblWqW7EMv\n"
                          "8B5Uxfm8qm7pjeOMNhKoRZiLpFBArU9ny2nY1dDHN2+w2onxZ309FSPyguC4hNP8\n"
                          "VERIdBOcoHu2PedTvnJ26sqWdSqdN7ZZeRa5pWTS7a3qUtQUwLN8/JrFF/AukDDK\n"
                          "0lfonL8R61vHoZBDropGWmYYV0ZxGDozLd83ZV5Qpm9PYpRmg9qo4uuOAVIOh28g\n"
                          "j2nHYatOwE82wlXh7sy9FVKe72WE6Tx70eKh4YFnQGGqTuUdmyV/WEte1bhQ0vDR\n"
                          "fu9XoRXPAgMBAAECggEATL5v2Dh3HA8IOi6Yc/28f6av7USVcG5PgpB81B7cSGVC\n"
                          "qhHAGHzUC2Kg+JA3U5chemEGX8GEh7JqxupnT848TQvpLJvPzzBy2oo25Todalsz\n"
                          "pnq5bZHQyrB54wNjl6mW1eoyfOp/cfRdqu9FrunlN/oTGQ7CjIDEqMItDsJ3uZP/\n"
                          "EAPqiaXlqFE8TInjBeYdtZPjDtuMXYfJivZ5Gq+VDqWmvHCKX8wOUxFIvtre9Dnd\n"
                          "HA/yKzjYOXLlgemn66cuR4W/dWCtmcdWtuaxmn4fcHRJkTXi6dqQ0wkKHjpXZDCf\n"
                          "pQL5nCrO4KD0S10E+gL2+Gmyo9F0SNBMF1i5RfbyaQKBgQD5BgYy7Frmz3HQ4uxN\n"
                          "JwxOVLvv71L5d1XyjPj+f/7W8vRtzA4rMEBGJ1YTiRiknJWSu4C8jPVY0IfVDo7K\n"
                          "MFTuX8wrP0mE8vd7IAiDW6yurqlE2p0cF6gY5f287GG1Laznz6ZjVeFV/SazA1vq\n"
                          "JJHT/T8bYvQUcuTsOUbvP880AwKBgQDuWOy6pSB9HTwncu3s83lGy/klQBDmmzvP\n"
                          "0nui6lx2D6l8ld8BnNxPM2zt3A/qAQ+7TlAg8Nqvktiri0QvWtACDNUaK8L9JPHi\n"
                          "WElXAyQkQhwXT8XHBzAAR78ZRqOqt5pQ8p1kwTEeqgdPFWQyD0g008P4s6VoCE/u\n"
                          "rCckIxlbRQKBgQCD/dZxTWgNKO1J682WQ1k5d5452d9gDQnIS0J7GvrHkfVO8Tad\n"
                          "W7DlvlnYdvVR4xFAuhPNXOV6kuU8X7/9mUqbIrnEPoJIbsQQRfVdMs0/taJQtZNK\n"
                          "3Zsiv10TszNC5hfcsuqdglqyykCl5+TjIUkOVRALAxMed5uxPdbEX00DYwKBgQCA\n"
                          "jDFRENIO6H+S/ydXTpEwH76F2qHC3iJKGclYunGXsybD7MjTw9gGV0P+nVtv55am\n"
                          "fLw2p/AqFVcKXhguOhpJoMYmUUfe49gZLWiQpz8M1yLzZ7DRgQzgedGVPkXzQwbV\n"
                          "daRxvMhTM3yxqGXboeZdp4DgV3N0Qldp8CtEEDISyQKBgE2s2B3iXVskXpYdRxiX\n"
                          "5kZ63uiBvVuRntRS4UNVmORDfTEWkwPcMa59Xl45s9WfjBucb93UgLkSnRlJmE3D\n"
                          "uPpY+CNV2UNgymnF37DNTASEALUnHbDv/fBlVg02xc9Ryfs2j8v/FPmR1LECWdAM\n"
                          "K0gaqkLlsLpMr3uSSkXwOMDj\n"
                          "-----END PRIVATE KEY-----\n";

/* {"alg":"RS256","typ":"JWT","kid":"k1"} and {"iss":"app"}, signed by `openssl dgst`. */
static const char signed_by_openssl[] =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0.eyJpc3MiOiJhcHAifQ.tPU9SXaoN1HDBmEfJ"
    "EK-7TLPuAy4McLa5eS1UARlvcvj4GjYliQbImp77TKLPd-6PHM3TrcPuuPLJ2evqiDqaUt4lVHwsmCVnqbxU_TCC"
    "RqaaPanS0RQEB34E29FZX57LAWiqpiXVrYxnQcfh1zl9S5PdLEu6LiW5_aHVcPBYy99AquiQa-RD4g6I_mFvDeCA"
    "s-tQ4BhB1DChq27lZFfK9NpmmZ5vMvVTEPNbrW9H6jZpaO3aCiqn5gxQc7Sw9oreXfIgIx-0TUIUwmjKM6lVdYzU"
    "RZQ0U32XtNDLqzyd8b1iyZRG-2toW7jLRC0PqJZoukgArkmqmR89M7n3g-TdQ";

static json value_of(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, &error), STATUS_OK);
    return value;
}

static void signs_rs256(void **)
{
    CLEANUP(json_unrefp) json header = value_of("{\"kid\":\"k1\"}");
    CLEANUP(json_unrefp) json claims = value_of("{\"iss\":\"app\"}");
    CLEANUP(buf_done) struct buf out = buf_init(JWT_MAX);
    struct error error               = {};
    const struct jwt jwt             = {.algorithm = JWT_RS256,
                                        .key       = bytes_from(str_from(pem)),
                                        .header    = header,
                                        .claims    = claims};
    assert_int_equal(jwt_put(&jwt, &out, &error), STATUS_OK);
    assert_int_equal(out.len, strlen(signed_by_openssl));
    assert_memory_equal(out.ptr, signed_by_openssl, out.len);
}

/* RFC 7515, appendix A.1 has another order of members; the signature here is by RFC 2104 of the
 * text that we write. `alg` is ours whatever the header says. */
static void signs_hs256(void **)
{
    static const char expected[]     = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0."
                                       "8qZF8vbN3UpcanXFc-mPXJkOPN01-bRch8XX3rToP1U";
    CLEANUP(json_unrefp) json header = value_of("{\"alg\":\"none\"}");
    CLEANUP(json_unrefp) json claims = value_of("{\"sub\":\"1\"}");
    CLEANUP(buf_done) struct buf out = buf_init(JWT_MAX);
    struct error error               = {};
    const struct jwt jwt             = {
                    .key = bytes_from(str_from("secret")), .header = header, .claims = claims};
    assert_int_equal(jwt_put(&jwt, &out, &error), STATUS_OK);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.ptr, expected, out.len);
}

/* No two signatures are alike: tests/scenario/oauth2_adapters.test.mjs verifies one. */
static void signs_es256(void **)
{
    static const char head[] = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhcHAifQ.";
    enum { SIGNATURE_LEN = 86 /* of 64 bytes */ };
    CLEANUP(json_unrefp) json claims    = value_of("{\"iss\":\"app\"}");
    CLEANUP(buf_done) struct buf first  = buf_init(JWT_MAX);
    CLEANUP(buf_done) struct buf second = buf_init(JWT_MAX);
    struct jwt jwt                      = {
                             .algorithm = JWT_ES256, .key = bytes_from(str_from(P256_PEM)), .claims = claims};
    assert_int_equal(jwt_put(&jwt, &first, NULL), STATUS_OK);
    assert_int_equal(jwt_put(&jwt, &second, NULL), STATUS_OK);
    assert_int_equal(first.len, strlen(head) + SIGNATURE_LEN);
    assert_int_equal(second.len, first.len);
    assert_memory_equal(first.ptr, head, strlen(head));
    assert_memory_not_equal(first.ptr, second.ptr, first.len);
    jwt.key = bytes_from(str_from(pem)); /* RSA */
    assert_int_equal(jwt_put(&jwt, &first, NULL), STATUS_INVALID_ARGUMENT);
    jwt.algorithm = JWT_RS256;
    jwt.key       = bytes_from(str_from(P256_PEM));
    assert_int_equal(jwt_put(&jwt, &first, NULL), STATUS_INVALID_ARGUMENT);
}

static void refuses_what_is_no_key(void **)
{
    static const char *const keys[]  = {"", "no pem",
                                        "-----BEGIN"
                                         " PRIVATE KEY-----\nAAAA\n"
                                         "-----END PRIVATE KEY-----\n"};
    CLEANUP(json_unrefp) json claims = value_of("{}");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(JWT_MAX);
        struct error error               = {};
        const struct jwt jwt             = {
                        .algorithm = JWT_RS256, .key = bytes_from(str_from(keys[i])), .claims = claims};
        assert_int_equal(jwt_put(&jwt, &out, &error), STATUS_INVALID_ARGUMENT);
        assert_int_equal(out.len, 0);
    }
    CLEANUP(buf_done) struct buf out = buf_init(JWT_MAX);
    struct error error               = {};
    const struct jwt no_key          = {.claims = claims};
    assert_int_equal(jwt_put(&no_key, &out, &error), STATUS_INVALID_ARGUMENT);
}

static void bounds_a_token(void **)
{
    CLEANUP(json_unrefp) json claims = json_object_new(1);
    CLEANUP(buf_done) struct buf out = buf_init(2 * JWT_MAX);
    CLEANUP(buf_done) struct buf big = buf_init(JWT_MAX);
    struct error error               = {};
    while (big.len < JWT_MAX) (void)buf_put_byte(&big, 'a');
    json_object_put_text(&claims, "a", json_text_new(buf_str(&big)));
    const struct jwt jwt = {.key = bytes_from(str_from("secret")), .claims = claims};
    assert_int_equal(jwt_put(&jwt, &out, &error), STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_rs256),    cmocka_unit_test(signs_es256),
        cmocka_unit_test(signs_hs256),    cmocka_unit_test(refuses_what_is_no_key),
        cmocka_unit_test(bounds_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
