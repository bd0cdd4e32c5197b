/*
 * Certificates that OpenSSH 9.2's ssh-keygen -s made, and what becomes of them when a byte of them
 * is changed. The keys were made for this test and are used nowhere else.
 */
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "tests/unit.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* clang-format off */
static const char ed25519_text[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIHp9Vw+Ry3M5kMsOAMXgwylgL5DSujDlIBWs"
    "Cj2lTpryAAAAIN5TilBybLRZgHJskGlhp9+vd7c8GSiMNbKzLBQh8z3DAAAAAAAAAAEAAAABAAAADWlkIG9mIGVk"
    "MjU1MTkAAAAQAAAABWFsaWNlAAAAA2JvYgAAAABeC+EAAAAAAIOqfoAAAABOAAAADWZvcmNlLWNvbW1hbmQAAAAN"
    "AAAACS9iaW4vdHJ1ZQAAAA5zb3VyY2UtYWRkcmVzcwAAABYAAAASMTAuMC4wLjAvOCw6OjEvMTI4AAAAcAAAABVw"
    "ZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQt"
    "cG9ydC1mb3J3YXJkaW5nAAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAA"
    "ACAUlPJjP6wdAqcYMP8vpRlrPAxyMG+93Jy3CWVYNmIQLQAAAFMAAAALc3NoLWVkMjU1MTkAAABAM+sVU1dTKgaK"
    "iNogKQTU4mi+Z7BRTVUeFebfvuxio2RV6KmSjD4xbbFnv2ePIgMC+ZjqaH9Z+zPIYJD0qcJLDA==";
static const char ecdsa256_text[] =
    "AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg3Uv9/unywhba35mvnl3OI/cN"
    "gZZ6FKAJi/rF7kNV9o4AAAAIbmlzdHAyNTYAAABBBEutJt6dCTlyi+6L9AmRqmj21tAm3U9xkxMh5h5ReDoiDh6p"
    "DKBu+EIayMZjS+z2Wirvd8x3JTbEAWXTcR1G/9MAAAAAAAAAAgAAAAEAAAAOaWQgb2YgZWNkc2EyNTYAAAAQAAAA"
    "BWFsaWNlAAAAA2JvYgAAAABeC+EAAAAAAIOqfoAAAABOAAAADWZvcmNlLWNvbW1hbmQAAAANAAAACS9iaW4vdHJ1"
    "ZQAAAA5zb3VyY2UtYWRkcmVzcwAAABYAAAASMTAuMC4wLjAvOCw6OjEvMTI4AAAAcAAAABVwZXJtaXQtWDExLWZv"
    "cndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJk"
    "aW5nAAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACAUlPJjP6wdAqcY"
    "MP8vpRlrPAxyMG+93Jy3CWVYNmIQLQAAAFMAAAALc3NoLWVkMjU1MTkAAABAcq+/i+86fwCZ5RSyD9LfQ0aD6WQJ"
    "mCoU/8uAY2s1IGtMFxnO+goDozHCV+TKECqCQ+Og43v0FizPj5a/piumBA==";
static const char ecdsa384_text[] =
    "AAAAKGVjZHNhLXNoYTItbmlzdHAzODQtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgkqxQ1Jui9/l/iHC0P7DXMmaB"
    "R0EFiEWolMg8oelXYFgAAAAIbmlzdHAzODQAAABhBH33ETHFf4Bqe4o+jWGdobU3e/L8cRTw3kDMJVw6WwdB0bqi"
    "emanvxTrehzGwMui3b2q+NuQFTdDfLc9pgMGPedKPvG/HUjWhot6vqMzNinXykxH/tYM2dzZqyraEHnH9wAAAAAA"
    "AAADAAAAAQAAAA5pZCBvZiBlY2RzYTM4NAAAABAAAAAFYWxpY2UAAAADYm9iAAAAAF4L4QAAAAAAg6p+gAAAAE4A"
    "AAANZm9yY2UtY29tbWFuZAAAAA0AAAAJL2Jpbi90cnVlAAAADnNvdXJjZS1hZGRyZXNzAAAAFgAAABIxMC4wLjAu"
    "MC84LDo6MS8xMjgAAABwAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndh"
    "cmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAA"
    "AAAzAAAAC3NzaC1lZDI1NTE5AAAAIBSU8mM/rB0Cpxgw/y+lGWs8DHIwb73cnLcJZVg2YhAtAAAAUwAAAAtzc2gt"
    "ZWQyNTUxOQAAAECJTgKderKsEpXmGPMb6L6BR8f1chp2QESSsYfWLhiWLKBW0M65U6Cqz2S2zLtiuewCuxxWLru0"
    "LeT+3XfFzesN";
static const char ecdsa521_text[] =
    "AAAAKGVjZHNhLXNoYTItbmlzdHA1MjEtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgYRMrlOC82CDLY9dXzDbeV9h/"
    "N607nFi3fc3WRC8blLIAAAAIbmlzdHA1MjEAAACFBADO/dQ4fKmYLg3G85KVs8/OdLKyTek6y6d5XTbNLOa76QVX"
    "VKCRJaSRjdsJgt4ZPAQyRccTnjjnRcY/1EQjPReq2gBIi7/AIWHLHClqv028muIjymKydzZVPzXKYqyHngGVrl0b"
    "oktNXgWdeshnuPGCCsVLD6lJAHgsLgpbXQQ4DBYJdQAAAAAAAAAEAAAAAQAAAA5pZCBvZiBlY2RzYTUyMQAAABAA"
    "AAAFYWxpY2UAAAADYm9iAAAAAF4L4QAAAAAAg6p+gAAAAE4AAAANZm9yY2UtY29tbWFuZAAAAA0AAAAJL2Jpbi90"
    "cnVlAAAADnNvdXJjZS1hZGRyZXNzAAAAFgAAABIxMC4wLjAuMC84LDo6MS8xMjgAAABwAAAAFXBlcm1pdC1YMTEt"
    "Zm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndh"
    "cmRpbmcAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIBSU8mM/rB0C"
    "pxgw/y+lGWs8DHIwb73cnLcJZVg2YhAtAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBppydDqdyLVrsMNV8Y2ArgVpLE"
    "/iKRVIdgyBh+a8jsPrP6euBPQAZCBM5zepoANR7P1TZn/j9Qo7MWI0gzx2YH";
static const char rsa_text[] =
    "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgVWpI7wcrbmPzliv4VxVmH4sVUiDsV5SQZBRkJeBe"
    "v3EAAAADAQABAAABAQCru5YJdcHjzPsQ0z5tup92MhppPtQiKLWLohj/nlWRvWa4Rs6gV8bKl4L+f/aQrGRdsKS7"
    "P/5ULUsLB1y1QJcdd3h3QX47XnOBDfunt+gze2Up/4K1ZH6LbnMCQJKH1FlM3e6z+ra5RoqYcBxRM1mQA6oP7o4l"
    "cFeqcsbgY29uIMkcLYw0DekIF2VYYBW/Md22hk+67qTh8VM3VEfwoFuRkEBoX+TTQAOQ0LfMMacfZgdi7GUjmY4H"
    "vt38ORW4WTLwvwdVE3hvS7plgaEPVREjHAh8Om0ZNtGX9BIza69GeCR93+GbjuaQnpDnAN3PWvI/70n227oyyM2s"
    "3pRDN+JnAAAAAAAAAAUAAAABAAAACWlkIG9mIHJzYQAAABAAAAAFYWxpY2UAAAADYm9iAAAAAF4L4QAAAAAAg6p+"
    "gAAAAE4AAAANZm9yY2UtY29tbWFuZAAAAA0AAAAJL2Jpbi90cnVlAAAADnNvdXJjZS1hZGRyZXNzAAAAFgAAABIx"
    "MC4wLjAuMC84LDo6MS8xMjgAAABwAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50"
    "LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAA"
    "AAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIBSU8mM/rB0Cpxgw/y+lGWs8DHIwb73cnLcJZVg2YhAtAAAAUwAA"
    "AAtzc2gtZWQyNTUxOQAAAEDjjhn94dShuBiqg3bl6VyUhypDGO/LgjgVIcXca0Zw1AteWsNpVnBBfgqBYmqSCEpl"
    "Om8A7b06JlgdGo0tpEAJ";
static const char host_text[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIBZCV+hcHJ/6lg8ilpItiu2z8GYLoUCdKLqo"
    "riOqY/iMAAAAIN5TilBybLRZgHJskGlhp9+vd7c8GSiMNbKzLBQh8z3D//////////8AAAACAAAABGhvc3QAAAAh"
    "AAAADGhvc3QuZXhhbXBsZQAAAA0qLmV4YW1wbGUub3JnAAAAAAAAAAD//////////wAAAAAAAAAAAAAAAAAAARcA"
    "AAAHc3NoLXJzYQAAAAMBAAEAAAEBANuYhkG1uHQnjD1NRc58SdYOk6VHo6BZUHO7SUvUbQ32tR5uOCmb0pH30XOx"
    "Ppc+ilPhCNyQkHFPxVKGj5pls0X+5RQKRVbGm63FdUCH8R02lCT/6EDj3Eg9cu+s/KwUUpDCed8VmWB0nBTztQHh"
    "DiwyxpnVgeKsQhJY2I9GzWRcHn0n1HGBumz9VeNJESiaXmeOeaUsW2I7PXqrnJJnbQPS1MrMm1D4d3LtI40TdxiT"
    "Smc/igI858kFHIN78GZ2XkJfzoNQACEyciGZU1GXOx8bWFk0OzWAjrnVLa9mQrPVOyJhEDnxwNUo6s5vu4eK9BIb"
    "deiDIUe3Fpd6cv4Qf28AAAEUAAAADHJzYS1zaGEyLTUxMgAAAQBqN8bj09AvlF/eTHlNMsICojmVVTHVbhBjuPuE"
    "m5mJawcI8sBu8+8vKcFTKwDN6tfhAlfg9hITs/ldCq3eR1/03Cg+DxCPNXPDkPyeZEG6+e/0VcaGfMWxh3q7J/Ts"
    "jeInuAcXoAVOl7pb8h4oy997fAyHICGnQjgd6SekeiPSdGMZxiD+FACu9HYj/eJndgoJPcDVlCFqC9gtuCWPncMG"
    "Oxp3MQkoSzrPowLCHIGubxN33Bv7r6UepJR61qZZzmTbfq5GcxodPK6N1nvB/xQ2mQDRV4lEMx2Ck12Cda4n5NQs"
    "W3UP/JEfYltzAYBC17jhVbrC1vEYb/B7Z1NAu3qR";
static const char empty_text[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIN3DPWedVuP4zqsvtx5LP56VM2D81kUHAP+l"
    "NHi6U33aAAAAIN5TilBybLRZgHJskGlhp9+vd7c8GSiMNbKzLBQh8z3DAAAAAAAAAAAAAAABAAAABWVtcHR5AAAA"
    "AAAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1h"
    "Z2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAA"
    "AAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAaAAAABNlY2RzYS1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2"
    "AAAAQQSTN/PrKZk0MStC5cpIouoENVzc20DChRvXkUZKMIIIHvohX1iQl41gB8UPOR5jeD/HWs+3DJWeE3sMDHis"
    "U5uFAAAAZAAAABNlY2RzYS1zaGEyLW5pc3RwMjU2AAAASQAAACAe3p5bnynEvAcNTgItd1kDb85Sa5L9fQT2NWMC"
    "4FBaCwAAACEAtjfTnmFrKCEeYK3rKVBQkwSfFul+2agTh4boRdIK1Gc=";
static const char sha1_text[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIGJW3FexnDbRkHtZX5wGZEwUH3WubmFdGwpz"
    "COnJwlr4AAAAIN5TilBybLRZgHJskGlhp9+vd7c8GSiMNbKzLBQh8z3DAAAAAAAAAAAAAAABAAAABHNoYTEAAAAJ"
    "AAAABWFsaWNlAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAX"
    "cGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1p"
    "dC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAEXAAAAB3NzaC1yc2EAAAADAQABAAABAQDbmIZB"
    "tbh0J4w9TUXOfEnWDpOlR6OgWVBzu0lL1G0N9rUebjgpm9KR99FzsT6XPopT4QjckJBxT8VSho+aZbNF/uUUCkVW"
    "xputxXVAh/EdNpQk/+hA49xIPXLvrPysFFKQwnnfFZlgdJwU87UB4Q4sMsaZ1YHirEISWNiPRs1kXB59J9Rxgbps"
    "/VXjSREoml5njnmlLFtiOz16q5ySZ20D0tTKzJtQ+Hdy7SONE3cYk0pnP4oCPOfJBRyDe/Bmdl5CX86DUAAhMnIh"
    "mVNRlzsfG1hZNDs1gI651S2vZkKz1TsiYRA58cDVKOrOb7uHivQSG3XogyFHtxaXenL+EH9vAAABDwAAAAdzc2gt"
    "cnNhAAABAKpIeesQ3b1YsT4RAv6g8EBIC0M+XVip+cVLdLP9yzfcpXDHFmYHlCNX3pdRXEbs/V3ia7dTrL2fT1Q1"
    "588ZutHOVey6yZ/ndhiLRpooFO/SHMz9uSoKddqyJOqseU26YfDh42YAU7OvPubVgGQOSFbv+s1/bSX79dttqbxs"
    "WUJiQAjyCAfbxfk069AyhiqLJcLS1jh2eak0OnY94Wp33rGc+FBSCUXlhPqZVH3txH+NY0lz9u1mYJV7W8Bra+2X"
    "gevOZRiHIq7+MNMInnI+tJB6ELx6H/aOFM3rFj899YkSWTSFqEg0ermP5hjKSTNauTxlmUFtTIeDf+MsHHYAUDI=";
static const char unknown_text[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAINj51Y5aSn32kAqqYnTfwqInoMeYMpDj8dfN"
    "Qf5wzbjKAAAAIN5TilBybLRZgHJskGlhp9+vd7c8GSiMNbKzLBQh8z3DAAAAAAAAAAAAAAABAAAAB3Vua25vd24A"
    "AAAJAAAABWFsaWNlAAAAAAAAAAD//////////wAAACAAAAATbm8tc3VjaEBleGFtcGxlLmNvbQAAAAUAAAABMQAA"
    "AIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAW"
    "cGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAA"
    "AAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgFJTyYz+sHQKnGDD/L6UZazwMcjBvvdyctwllWDZiEC0AAABTAAAA"
    "C3NzaC1lZDI1NTE5AAAAQKx22hAWpS75wPgBwLSqL7JswImzt45y2njdXhHvga/JxnwvmAqFR23V0VWzFnqtYE2P"
    "jwTTaJ2YqcAVJRMI/AM=";
static const char ed25519_plain[] =
    "AAAAC3NzaC1lZDI1NTE5AAAAIN5TilBybLRZgHJskGlhp9+vd7c8GSiMNbKzLBQh8z3D";
static const char ecdsa256_plain[] =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEutJt6dCTlyi+6L9AmRqmj21tAm3U9xkxMh"
    "5h5ReDoiDh6pDKBu+EIayMZjS+z2Wirvd8x3JTbEAWXTcR1G/9M=";
static const char ecdsa384_plain[] =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBH33ETHFf4Bqe4o+jWGdobU3e/L8cRTw3kDM"
    "JVw6WwdB0bqiemanvxTrehzGwMui3b2q+NuQFTdDfLc9pgMGPedKPvG/HUjWhot6vqMzNinXykxH/tYM2dzZqyra"
    "EHnH9w==";
static const char ecdsa521_plain[] =
    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBADO/dQ4fKmYLg3G85KVs8/OdLKyTek6y6d5"
    "XTbNLOa76QVXVKCRJaSRjdsJgt4ZPAQyRccTnjjnRcY/1EQjPReq2gBIi7/AIWHLHClqv028muIjymKydzZVPzXK"
    "YqyHngGVrl0boktNXgWdeshnuPGCCsVLD6lJAHgsLgpbXQQ4DBYJdQ==";
static const char rsa_plain[] =
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQCru5YJdcHjzPsQ0z5tup92MhppPtQiKLWLohj/nlWRvWa4Rs6gV8bKl4L+"
    "f/aQrGRdsKS7P/5ULUsLB1y1QJcdd3h3QX47XnOBDfunt+gze2Up/4K1ZH6LbnMCQJKH1FlM3e6z+ra5RoqYcBxR"
    "M1mQA6oP7o4lcFeqcsbgY29uIMkcLYw0DekIF2VYYBW/Md22hk+67qTh8VM3VEfwoFuRkEBoX+TTQAOQ0LfMMacf"
    "Zgdi7GUjmY4Hvt38ORW4WTLwvwdVE3hvS7plgaEPVREjHAh8Om0ZNtGX9BIza69GeCR93+GbjuaQnpDnAN3PWvI/"
    "70n227oyyM2s3pRDN+Jn";
static const char ca_plain[] =
    "AAAAC3NzaC1lZDI1NTE5AAAAIBSU8mM/rB0Cpxgw/y+lGWs8DHIwb73cnLcJZVg2YhAt";
/* clang-format on */

static int setup(void **state)
{
    *state = crypto_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    crypto_free(*state);
    return 0;
}

static void blob_of(const char *base64, struct buf *blob)
{
    buf_init(blob, PUBKEY_BLOB_MAX);
    assert_ok(base64_decode(slice_text(base64), blob));
}

static enum err text_err(const struct crypto *c, const char *base64, struct cert **k)
{
    struct buf blob;
    blob_of(base64, &blob);
    enum err err = cert_parse(k, c, buf_slice(&blob));
    buf_done(&blob);
    return err;
}

#define Y2020 UINT64_C(1577836800)
#define Y2040 UINT64_C(2208988800)

static void fields_are_as_ssh_keygen_was_told(void **state)
{
    static const struct {
        const char *text, *plain, *key_id;
    } cases[] = {
        {ed25519_text, ed25519_plain, "id of ed25519"},
        {ecdsa256_text, ecdsa256_plain, "id of ecdsa256"},
        {ecdsa384_text, ecdsa384_plain, "id of ecdsa384"},
        {ecdsa521_text, ecdsa521_plain, "id of ecdsa521"},
        {rsa_text, rsa_plain, "id of rsa"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cert *k;
        struct buf plain, ca, blob;
        struct slice list, name, value;
        assert_ok(text_err(*state, cases[i].text, &k));
        const struct cert_info *info = cert_info(k);
        blob_of(cases[i].plain, &plain);
        blob_of(ca_plain, &ca);
        blob_of(cases[i].text, &blob);
        assert_true(info->is_verified);
        assert_true(slice_equal(cert_blob(k), buf_slice(&blob)));
        assert_true(slice_equal(pubkey_blob(info->key), buf_slice(&plain)));
        assert_true(slice_equal(pubkey_blob(info->authority), buf_slice(&ca)));
        assert_string_equal(info->algo->name, "ssh-ed25519");
        assert_int_equal(info->kind, CERT_USER);
        assert_int_equal(info->serial, i + 1);
        assert_true(slice_is(info->key_id, cases[i].key_id));
        assert_int_equal(info->valid_after, Y2020);
        assert_int_equal(info->valid_before, Y2040);
        list = info->principals;
        assert_true(cert_next_principal(&list, &name) && slice_is(name, "alice"));
        assert_true(cert_next_principal(&list, &name) && slice_is(name, "bob"));
        assert_false(cert_next_principal(&list, &name));
        list = info->critical;
        assert_true(cert_next_option(&list, &name, &value) && slice_is(name, "force-command"));
        assert_true(slice_is(value, "/bin/true"));
        assert_true(cert_next_option(&list, &name, &value) && slice_is(name, "source-address"));
        assert_true(slice_is(value, "10.0.0.0/8,::1/128"));
        assert_false(cert_next_option(&list, &name, &value));
        assert_true(cert_has_option(info->extensions, "permit-port-forwarding", &value));
        assert_int_equal(value.len, 0);
        assert_false(cert_has_option(info->extensions, "permit-pty", &value));
        cert_free(k);
        buf_done(&plain);
        buf_done(&ca);
        buf_done(&blob);
    }
    cert_free(NULL);
}

static const char *const user_options[] = {"force-command", "source-address", NULL};

static void a_user_certificate_is_for_its_users_in_its_time(void **state)
{
    const struct cert_wish good = {
        .kind = CERT_USER, .principal = "bob", .now_s = Y2020, .known = user_options};
    struct cert *k;
    const char *why;
    struct cert_wish w = good;
    assert_ok(text_err(*state, ed25519_text, &k));
    assert_ok(cert_check(k, &w, &why));
    w.now_s = Y2040 - 1;
    assert_ok(cert_check(k, &w, &why));
    w.principal = NULL;
    assert_ok(cert_check(k, &w, &why));
#define REFUSED(text_, ...)                                                                        \
    do {                                                                                           \
        w = good;                                                                                  \
        w.__VA_ARGS__;                                                                             \
        assert_int_equal(cert_check(k, &w, &why), ERR_DENIED);                                     \
        assert_string_equal(why, text_);                                                           \
    } while (0)
    REFUSED("certificate has expired", now_s = Y2040);
    REFUSED("certificate has expired", now_s = UINT64_MAX);
    REFUSED("certificate is not yet valid", now_s = Y2020 - 1);
    REFUSED("certificate is not yet valid", now_s = 0);
    REFUSED("certificate is for other principals", principal = "Bob");
    REFUSED("certificate is for other principals", principal = "alice,bob");
    REFUSED("certificate is for other principals", principal = "");
    REFUSED("certificate is for other principals", principal = "b*");
    REFUSED("certificate is not for hosts", kind = CERT_HOST);
    REFUSED("certificate has a critical option that is not supported", known = NULL);
    REFUSED("certificate has a critical option that is not supported", known = user_options + 1);
    cert_free(k);
}

static void a_host_certificate_names_patterns(void **state)
{
    static const struct {
        const char *name;
        enum err want;
    } cases[] = {
        {"host.example", OK},        {"HOST.example", OK},          {"a.example.org", OK},
        {"example.org", ERR_DENIED}, {"host.example.", ERR_DENIED}, {"xhost.example", ERR_DENIED},
    };
    struct cert *k;
    const char *why;
    assert_ok(text_err(*state, host_text, &k));
    assert_int_equal(cert_info(k)->serial, UINT64_MAX);
    assert_string_equal(cert_info(k)->algo->name, "rsa-sha2-512");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct cert_wish w = {.kind = CERT_HOST, .principal = cases[i].name, .now_s = 1};
        assert_int_equal(cert_check(k, &w, &why), cases[i].want);
    }
    const struct cert_wish w = {.kind = CERT_USER, .principal = "host.example", .now_s = 1};
    assert_int_equal(cert_check(k, &w, &why), ERR_DENIED);
    cert_free(k);
}

static void one_without_principals_is_for_nobody_unless_said(void **state)
{
    struct cert_wish w = {.kind = CERT_USER, .principal = "bob", .now_s = 1};
    struct cert *k;
    const char *why;
    assert_ok(text_err(*state, empty_text, &k));
    assert_int_equal(cert_check(k, &w, &why), ERR_DENIED);
    assert_string_equal(why, "certificate lacks principals");
    w.principal = NULL;
    assert_int_equal(cert_check(k, &w, &why), ERR_DENIED);
    w.may_lack_principals = true;
    assert_ok(cert_check(k, &w, &why));
    w.principal = "bob";
    assert_ok(cert_check(k, &w, &why));
    cert_free(k);
}

static void sha1_and_unknown_critical_options_are_refused(void **state)
{
    struct cert_wish w = {
        .kind = CERT_USER, .principal = "alice", .now_s = Y2020, .known = user_options};
    struct cert *k;
    const char *why;
    assert_int_equal(text_err(*state, sha1_text, &k), ERR_CRYPTO);
    assert_ok(text_err(*state, unknown_text, &k));
    w.now_s = cert_info(k)->valid_after;
    assert_int_equal(cert_check(k, &w, &why), ERR_DENIED);
    assert_string_equal(why, "certificate has a critical option that is not supported");
    cert_free(k);
    assert_int_equal(text_err(*state, ed25519_plain, &k), ERR_UNSUPPORTED);
}

/* A byte changed or missing anywhere: no certificate. */
static void whatever_is_touched_is_no_certificate(void **state)
{
    static const char *const texts[] = {ed25519_text, ecdsa256_text, rsa_text, empty_text};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct cert *k;
        struct buf blob;
        blob_of(texts[i], &blob);
        for (size_t at = 0; at < buf_len(&blob); at++) {
            uint8_t *cut = mem_new(at ? at : 1, 1);
            memcpy(cut, blob.data, at);
            assert_int_not_equal(cert_parse(&k, *state, slice_of(cut, at)), OK);
            mem_free(cut);
            blob.data[at] ^= 0x10;
            assert_int_not_equal(cert_parse(&k, *state, buf_slice(&blob)), OK);
            blob.data[at] ^= 0x10;
        }
        assert_ok(buf_append(&blob, "", 1));
        assert_int_equal(cert_parse(&k, *state, buf_slice(&blob)), ERR_FORMAT);
        buf_done(&blob);
    }
}

/* Signed or not, lists that cannot be walked and authorities that are certificates end early. */
static enum err forged_err(const struct crypto *c, uint32_t kind, struct slice principals,
                           struct slice critical, const char *authority)
{
    struct cert *k;
    struct buf blob, key, ca;
    struct reader r;
    struct writer w;
    blob_of(ed25519_plain, &key);
    blob_of(authority, &ca);
    reader_init(&r, buf_slice(&key));
    (void)reader_string(&r);
    buf_init(&blob, PUBKEY_BLOB_MAX);
    writer_init(&w, &blob);
    writer_text(&w, "ssh-ed25519-cert-v01@openssh.com");
    writer_text(&w, "nonce");
    writer_string(&w, reader_string(&r));
    writer_u64(&w, 1);
    writer_u32(&w, kind);
    writer_text(&w, "id");
    writer_string(&w, principals);
    writer_u64(&w, 0);
    writer_u64(&w, UINT64_MAX);
    writer_string(&w, critical);
    writer_text(&w, "");
    writer_text(&w, "");
    writer_string(&w, buf_slice(&ca));
    writer_text(&w, "no signature");
    assert_ok(writer_done(&w));
    enum err err = cert_parse(&k, c, buf_slice(&blob));
    buf_done(&blob);
    buf_done(&key);
    buf_done(&ca);
    return err;
}

static void lists_that_break_the_format_are_refused(void **state)
{
#define S(text_) slice_of(text_, sizeof(text_) - 1)
    static const uint8_t many[4 * (CERT_PRINCIPALS_MAX + 1)];
    assert_int_equal(forged_err(*state, 1, SLICE_NONE, SLICE_NONE, ca_plain), ERR_CRYPTO);
    assert_int_equal(forged_err(*state, 0, SLICE_NONE, SLICE_NONE, ca_plain), ERR_FORMAT);
    assert_int_equal(forged_err(*state, 3, SLICE_NONE, SLICE_NONE, ca_plain), ERR_FORMAT);
    assert_int_equal(forged_err(*state, 1, SLICE_NONE, SLICE_NONE, ed25519_text), ERR_UNSUPPORTED);
    assert_int_equal(forged_err(*state, 1, S("\0\0\0\2a"), SLICE_NONE, ca_plain), ERR_FORMAT);
    assert_int_equal(forged_err(*state, 1, S("\0\0\0\1\0"), SLICE_NONE, ca_plain), ERR_FORMAT);
    assert_int_equal(forged_err(*state, 1, slice_of(many, sizeof(many)), SLICE_NONE, ca_plain),
                     ERR_FORMAT);
    /* A value that is not one string; a name twice; a name without value. */
    assert_int_equal(forged_err(*state, 1, SLICE_NONE, S("\0\0\0\1a\0\0\0\1b"), ca_plain),
                     ERR_FORMAT);
    assert_int_equal(
        forged_err(*state, 1, SLICE_NONE, S("\0\0\0\1a\0\0\0\0\0\0\0\1a\0\0\0\0"), ca_plain),
        ERR_FORMAT);
    assert_int_equal(forged_err(*state, 1, SLICE_NONE, S("\0\0\0\1a"), ca_plain), ERR_FORMAT);
    assert_int_equal(
        forged_err(*state, 1, SLICE_NONE, S("\0\0\0\1a\0\0\0\0\0\0\0\1b\0\0\0\0"), ca_plain),
        ERR_CRYPTO);
}

static void algorithm_names_lead_to_the_plain_ones(void **state)
{
    static const struct {
        const char *name, *plain;
    } cases[] = {
        {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"},
        {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521"},
        {"rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512"},
        {"rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-256"},
        {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com"},
        {"ssh-rsa-cert-v01@openssh.com", NULL},
        {"ssh-dss-cert-v01@openssh.com", NULL},
        {"ssh-ed25519", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct algo_sign *algo = cert_algo_sign(slice_text(cases[i].name));
        assert_int_equal(algo != NULL, cases[i].plain != NULL);
        if (algo)
            assert_string_equal(algo->name, cases[i].plain);
    }
    assert_true(cert_is_type(slice_text("ssh-rsa-cert-v01@openssh.com")));
    assert_false(cert_is_type(slice_text("rsa-sha2-512-cert-v01@openssh.com")));
    assert_false(cert_is_type(slice_text("ssh-rsa")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_as_ssh_keygen_was_told),
        cmocka_unit_test(a_user_certificate_is_for_its_users_in_its_time),
        cmocka_unit_test(a_host_certificate_names_patterns),
        cmocka_unit_test(one_without_principals_is_for_nobody_unless_said),
        cmocka_unit_test(sha1_and_unknown_critical_options_are_refused),
        cmocka_unit_test(whatever_is_touched_is_no_certificate),
        cmocka_unit_test(lists_that_break_the_format_are_refused),
        cmocka_unit_test(algorithm_names_lead_to_the_plain_ones),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
