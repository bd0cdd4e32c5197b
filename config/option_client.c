/*
 * The client's half of the option table: every keyword of ssh_config(5) up to OpenSSH 10.5,
 * Debian's patches and retired ones included. Data only.
 */
#include "base/algo_names.h"
#include "config/option_rows.h"
#include "config/ssh_config.h"

#define AT(field_) offsetof(struct client_options, field_)

#define FILE_EACH   (OPTION_ONE_WORD | OPTION_UNIQUE | OPTION_TILDE)
#define NONE_UNSETS OPTION_NONE_UNSETS
#define NO_EFFECT   OPTION_NO_EFFECT

/* What Debian's ssh -G prints of its GSSAPI patch. */
#define GSS_KEX                                                                                    \
    "gss-group14-sha256-,gss-group16-sha512-,gss-nistp256-sha256-,gss-curve25519-sha256-,"         \
    "gss-group14-sha1-,gss-gex-sha1-"

/* clang-format off */
static const struct option_word strict_words[] = {
    {"true", STRICT_YES}, {"yes", STRICT_YES},
    {"false", STRICT_NO}, {"no", STRICT_NO}, {"off", STRICT_NO},
    {"ask", STRICT_ASK}, {"accept-new", STRICT_ACCEPT_NEW},
    {NULL, 0},
};
static const struct option_word update_words[] = {
    {"true", ANSWER_YES}, {"yes", ANSWER_YES}, {"false", ANSWER_NO}, {"no", ANSWER_NO},
    {"ask", ANSWER_ASK},
    {NULL, 0},
};
static const struct option_word answer_words[] = {
    {"false", ANSWER_NO}, {"no", ANSWER_NO}, {"true", ANSWER_YES}, {"yes", ANSWER_YES},
    {"ask", ANSWER_ASK},
    {NULL, 0},
};
static const struct option_word master_words[] = {
    {"false", CONTROL_NO}, {"no", CONTROL_NO}, {"true", CONTROL_YES}, {"yes", CONTROL_YES},
    {"auto", CONTROL_AUTO}, {"ask", CONTROL_ASK}, {"autoask", CONTROL_AUTO_ASK},
    {NULL, 0},
};
static const struct option_word tunnel_words[] = {
    {"ethernet", TUNNEL_ETHERNET}, {"point-to-point", TUNNEL_POINT_TO_POINT},
    {"true", TUNNEL_POINT_TO_POINT}, {"yes", TUNNEL_POINT_TO_POINT},
    {"false", TUNNEL_NO}, {"no", TUNNEL_NO},
    {NULL, 0},
};
static const struct option_word canonicalize_words[] = {
    {"false", CANONICALIZE_NO}, {"no", CANONICALIZE_NO}, {"true", CANONICALIZE_YES},
    {"yes", CANONICALIZE_YES}, {"always", CANONICALIZE_ALWAYS},
    {NULL, 0},
};
static const struct option_word pubkey_words[] = {
    {"true", PUBKEY_YES}, {"yes", PUBKEY_YES}, {"false", PUBKEY_NO}, {"no", PUBKEY_NO},
    {"unbound", PUBKEY_UNBOUND}, {"host-bound", PUBKEY_HOST_BOUND},
    {NULL, 0},
};
static const struct option_word session_words[] = {
    {"default", SESSION_DEFAULT}, {"none", SESSION_NONE}, {"subsystem", SESSION_SUBSYSTEM},
    {NULL, 0},
};
static const struct option_word tty_words[] = {
    {"true", TTY_YES}, {"yes", TTY_YES}, {"false", TTY_NO}, {"no", TTY_NO},
    {"force", TTY_FORCE}, {"auto", TTY_AUTO},
    {NULL, 0},
};

const struct option_row option_client_rows[] = {
    BLOCK("Host"),
    BLOCK("Match"),
    BLOCK("Include"),

    /* where to and as whom */
    BUILT(OPTION_STRING,   "User",                0, user, NULL),
    BUILT(OPTION_STRING,   "HostName",            0, host_name, NULL),
    BUILT(OPTION_PORT,     "Port",                0, port, "22"),
    BUILT_WORD(            "AddressFamily",       0, address_family, "any", option_family_words),
    BUILT(OPTION_STRING,   "BindAddress",         0, bind_address, NULL),
    {.name = "ProxyCommand", .type = OPTION_COMMAND, .flags = NONE_UNSETS, .offset = AT(proxy_command), .rival = "ProxyJump"},
    {.name = "ProxyJump", .type = OPTION_STRING, .flags = NONE_UNSETS, .offset = AT(proxy_jump), .rival = "ProxyCommand"},
    BUILT(OPTION_SECONDS,  "ConnectTimeout",      OPTION_MAY_NONE, connect_timeout_s, "none"),
    BUILT_INT(             "ConnectionAttempts",  0, connection_attempts, "1", 1, INT32_MAX),
    BUILT(OPTION_FLAG,     "TCPKeepAlive",        0, tcp_keep_alive, "yes"),
    BUILT(OPTION_SECONDS,  "ServerAliveInterval", 0, server_alive_interval_s, "0"),
    BUILT_INT(             "ServerAliveCountMax", 0, server_alive_count_max, "3", 0, INT32_MAX),

    /* forwards */
    BUILT_KIND(OPTION_FORWARD, "LocalForward",    0, local_forwards, NULL, FORWARD_LOCAL),
    BUILT_KIND(OPTION_FORWARD, "RemoteForward",   0, remote_forwards, NULL, FORWARD_REMOTE),
    BUILT_KIND(OPTION_FORWARD, "DynamicForward",  0, dynamic_forwards, NULL, FORWARD_DYNAMIC),
    BUILT(OPTION_FLAG,     "GatewayPorts",        0, gateway_ports, "no"),
    BUILT_KIND(OPTION_LIST, "PermitRemoteOpen",   0, permit_remote_open, "any",
               OPTION_CHECK_PERMIT_OPEN),
    BUILT(OPTION_MASK,     "StreamLocalBindMask", 0, stream_local_bind_mask, "0177"),
    BUILT(OPTION_FLAG,     "StreamLocalBindUnlink", 0, stream_local_bind_unlink, "no"),
    BUILT(OPTION_FLAG,     "ExitOnForwardFailure", 0, exit_on_forward_failure, "no"),
    BUILT(OPTION_FLAG,     "ClearAllForwardings", 0, clear_all_forwardings, "no"),

    /* who the server is */
    BUILT_WORD(            "StrictHostKeyChecking", 0, strict_host_key, "ask", strict_words),
    BUILT(OPTION_LIST,     "UserKnownHostsFile",  OPTION_TILDE, user_known_hosts_files,
                           "~/.ssh/known_hosts ~/.ssh/known_hosts2"),
    BUILT(OPTION_LIST,     "GlobalKnownHostsFile", OPTION_TILDE, global_known_hosts_files,
                           "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"),
    BUILT(OPTION_STRING,   "HostKeyAlias",        0, host_key_alias, NULL),
    BUILT(OPTION_FLAG,     "HashKnownHosts",      0, hash_known_hosts, "no"),
    BUILT_WORD(            "UpdateHostKeys",      0, update_host_keys, "yes", update_words),

    /* who we are */
    BUILT(OPTION_APPEND,   "IdentityFile",        FILE_EACH, identity_files,
                           "~/.ssh/id_rsa ~/.ssh/id_ecdsa ~/.ssh/id_ecdsa_sk ~/.ssh/id_ed25519 "
                           "~/.ssh/id_ed25519_sk"),
    BUILT(OPTION_FLAG,     "IdentitiesOnly",      0, identities_only, "no"),
    BUILT(OPTION_STRING,   "IdentityAgent",       OPTION_TILDE | OPTION_MAY_NONE, identity_agent, NULL),
    BUILT_WORD(            "PubkeyAuthentication", 0, pubkey_authentication, "yes", pubkey_words),
    BUILT(OPTION_FLAG,     "BatchMode",           0, batch_mode, "no"),

    /* algorithms */
    BUILT_KIND(OPTION_ALGORITHMS, "Ciphers",      0, ciphers, NULL, ALGO_NAMES_CIPHER),
    BUILT_KIND(OPTION_ALGORITHMS, "MACs",         0, macs, NULL, ALGO_NAMES_MAC),
    BUILT_KIND(OPTION_ALGORITHMS, "KexAlgorithms", 0, kex_algorithms, NULL, ALGO_NAMES_KEX),
    BUILT_KIND(OPTION_ALGORITHMS, "HostKeyAlgorithms", 0, host_key_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT_KIND(OPTION_ALGORITHMS, "PubkeyAcceptedAlgorithms", 0, pubkey_accepted_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT(OPTION_REKEY,    "RekeyLimit",          0, rekey_limit, "default none"),
    BUILT(OPTION_WINDOW,   "AditWindow",          0, window, "128M 256M 1G"), /* ours */

    /* the program */
    BUILT_WORD(            "LogLevel",            0, log_level, "INFO", option_log_level_words),
    BUILT(OPTION_STRING,   "IgnoreUnknown",       0, ignore_unknown, NULL),
    BUILT(OPTION_FLAG,     "ForkAfterAuthentication", 0, fork_after_authentication, "no"),
    BUILT(OPTION_FLAG,     "StdinNull",           0, stdin_null, "no"),
    BUILT_WORD(            "SessionType",         0, session_type, "default", session_words),
    BUILT_WORD(            "RequestTTY",          0, request_tty, "auto", tty_words),

    /* sessions */
    BUILT(OPTION_FLAG,     "Compression",         0, compression, "no"),
    BUILT(OPTION_COMMAND,  "RemoteCommand",       NONE_UNSETS, remote_command, NULL),
    BUILT(OPTION_FLAG,     "PermitLocalCommand",  0, permit_local_command, "no"),
    BUILT(OPTION_COMMAND,  "LocalCommand",        NONE_UNSETS, local_command, NULL),
    BUILT_KIND(OPTION_APPEND, "SendEnv",          OPTION_MINUS | OPTION_UNIQUE, send_env, NULL, OPTION_CHECK_ENV),
    BUILT_KIND(OPTION_LIST, "SetEnv",             0, set_env, NULL, OPTION_CHECK_ASSIGNMENT),
    BUILT_VALUE(           "EscapeChar",          0, "~", client_value_escape_char),
    BUILT(OPTION_FLAG,     "EnableEscapeCommandline", 0, enable_escape_commandline, "no"),
    BUILT_VALUE(           "ObscureKeystrokeTiming", NO_EFFECT, "yes", client_value_keystroke_timing),
    BUILT_KIND(OPTION_LIST, "ChannelTimeout",     NONE_UNSETS | NO_EFFECT, channel_timeout, NULL,
               OPTION_CHECK_TIMEOUT),
    BUILT_VALUE(           "ForwardAgent",        0, "no", client_value_forward_agent),
    BUILT_WORD(            "Tunnel",              0, tunnel, "no", tunnel_words),
    BUILT_VALUE(           "TunnelDevice",        0, "any:any", client_value_tunnel_device),

    /* one connection for many */
    BUILT_WORD(            "ControlMaster",       0, control_master, "no", master_words),
    BUILT(OPTION_STRING,   "ControlPath",         NONE_UNSETS | OPTION_TILDE, control_path, NULL),
    BUILT_VALUE(           "ControlPersist",      0, "no", client_value_control_persist),

    /* more of who we are */
    BUILT(OPTION_APPEND,   "CertificateFile",     FILE_EACH, certificate_files, NULL),
    BUILT_VALUE(           "AddKeysToAgent",      0, "no", client_value_add_keys_to_agent),
    BUILT(OPTION_STRING,   "PreferredAuthentications", 0, preferred_authentications, NULL),
    BUILT(OPTION_FLAG,     "PasswordAuthentication", 0, password_authentication, "yes"),
    BUILT(OPTION_FLAG,     "KbdInteractiveAuthentication", 0, kbd_interactive_authentication, "yes"),
    BUILT(OPTION_STRING,   "KbdInteractiveDevices", 0, kbd_interactive_devices, NULL),
    BUILT_INT(             "NumberOfPasswordPrompts", 0, number_of_password_prompts, "3", 0, INT32_MAX),
    BUILT(OPTION_STRING,   "SecurityKeyProvider", NONE_UNSETS | NO_EFFECT, security_key_provider, "internal"),

    /* more of who the server is */
    BUILT(OPTION_FLAG,     "CheckHostIP",         0, check_host_ip, "no"),
    BUILT_KIND(OPTION_ALGORITHMS, "CASignatureAlgorithms", OPTION_PLAIN, ca_signature_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT_WORD(            "FingerprintHash",     0, fingerprint_hash, "SHA256", option_hash_words),
    BUILT(OPTION_FLAG,     "VisualHostKey",       0, visual_host_key, "no"),
    BUILT_WORD(            "VerifyHostKeyDNS",    0, verify_host_key_dns, "no", answer_words),
    BUILT(OPTION_COMMAND,  "KnownHostsCommand",   NONE_UNSETS, known_hosts_command, NULL),
    BUILT_KIND(OPTION_LIST, "RevokedHostKeys",    NONE_UNSETS | OPTION_TILDE,
               revoked_host_keys, NULL, OPTION_CHECK_ALONE),
    BUILT(OPTION_FLAG,     "NoHostAuthenticationForLocalhost", 0,
                           no_host_authentication_for_localhost, "no"),
    BUILT(OPTION_LIST,     "WarnWeakCrypto",      0, warn_weak_crypto, NULL),
    BUILT_INT(             "RequiredRSASize",     0, required_rsa_size, "1024", 0,
                           INT32_MAX),

    /* ours */
    BUILT_INT(             "AditConnections",     0, connections, "1", 1, 16),

    /* more of how to get there */
    BUILT(OPTION_STRING,   "BindInterface",       0, bind_interface, NULL),
    BUILT(OPTION_FLAG,     "ProxyUseFdpass",      0, proxy_use_fdpass, "no"),
    BUILT(OPTION_QOS,      "IPQoS",               0, ip_qos, "ef none"),
    BUILT_KIND(OPTION_COMMAND, "VersionAddendum", NONE_UNSETS, version_addendum, NULL,
               OPTION_CHECK_ADDENDUM),
    BUILT(OPTION_STRING,   "RefuseConnection",    0, refuse_connection, NULL),
    BUILT(OPTION_STRING,   "Tag",                 0, tag, NULL),
    BUILT_WORD(            "CanonicalizeHostname", 0, canonicalize_hostname, "no", canonicalize_words),
    BUILT(OPTION_LIST,     "CanonicalDomains",    NONE_UNSETS, canonical_domains, NULL),
    BUILT(OPTION_FLAG,     "CanonicalizeFallbackLocal", 0, canonicalize_fallback_local, "yes"),
    BUILT_INT(             "CanonicalizeMaxDots", 0, canonicalize_max_dots, "1", 0, INT32_MAX),
    BUILT_KIND(OPTION_LIST, "CanonicalizePermittedCNAMEs", NONE_UNSETS,
               canonicalize_permitted_cnames, NULL, OPTION_CHECK_CNAMES),
    BUILT_WORD(            "SyslogFacility",      0, syslog_facility, "USER", option_facility_words),
    BUILT(OPTION_LIST,     "LogVerbose",          NONE_UNSETS | NO_EFFECT, log_verbose, NULL),

    /* no part of adit */
    IDLE("EnableSSHKeysign",          0, "no", OPTION_CHECK_FLAG),
    IDLE("ForwardX11",                0, "no", OPTION_CHECK_FLAG),
    BUILT(OPTION_SECONDS, "ForwardX11Timeout", NO_EFFECT, forward_x11_timeout_s, "1200"),
    IDLE("ForwardX11Trusted",         0, "yes", OPTION_CHECK_FLAG),
    IDLE("GSSAPIAuthentication",      0, "no", OPTION_CHECK_FLAG),
    ACCEPTED("GSSAPIClientIdentity",  0),
    IDLE("GSSAPIDelegateCredentials", 0, "no", OPTION_CHECK_FLAG),
    IDLE("GSSAPIKexAlgorithms",       0, GSS_KEX, OPTION_CHECK_NONE),
    IDLE("GSSAPIKeyExchange",         0, "no", OPTION_CHECK_FLAG),
    IDLE("GSSAPIRenewalForcesRekey",  0, "no", OPTION_CHECK_FLAG),
    ACCEPTED("GSSAPIServerIdentity",  0),
    IDLE("GSSAPITrustDns",            0, "no", OPTION_CHECK_FLAG),
    BUILT_KIND(OPTION_ALGORITHMS, "HostbasedAcceptedAlgorithms", NO_EFFECT, hostbased_accepted_algorithms,
               NULL, ALGO_NAMES_HOST_KEY),
    IDLE("HostbasedAuthentication",   0, "no", OPTION_CHECK_FLAG),
    ACCEPTED("PKCS11Provider",        0),
    IDLE("XAuthLocation",             0, "/usr/bin/xauth", OPTION_CHECK_NONE),

    /* other spellings */
    ALIAS("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("SKeyAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("TISAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("DSAAuthentication", "PubkeyAuthentication"),
    ALIAS("HostbasedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ALIAS("HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ALIAS("IdentityFile2", "IdentityFile"),
    ALIAS("KeepAlive", "TCPKeepAlive"),
    ALIAS("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),
    ALIAS("SmartcardDevice", "PKCS11Provider"),

    /* retired */
    DEPRECATED("AFSTokenPassing"),
    DEPRECATED("Cipher"),
    DEPRECATED("CompressionLevel"),
    DEPRECATED("FallBackToRsh"),
    DEPRECATED("GlobalKnownHostsFile2"),
    DEPRECATED("KerberosAuthentication"),
    DEPRECATED("KerberosTgtPassing"),
    DEPRECATED("Protocol"),
    DEPRECATED("RhostsAuthentication"),
    DEPRECATED("RhostsRSAAuthentication"),
    DEPRECATED("RSAAuthentication"),
    DEPRECATED("UsePrivilegedPort"),
    DEPRECATED("UseRoaming"),
    DEPRECATED("UserKnownHostsFile2"),
    DEPRECATED("UseRsh"),
};
/* clang-format on */

const size_t option_client_row_count = ARRAY_LEN(option_client_rows);
_Static_assert(ARRAY_LEN(option_client_rows) <= OPTION_ROWS_MAX,
               "struct option_state is too small");
