/*
 * The server's half of the option table: every keyword of sshd_config(5) up to OpenSSH 10.5,
 * Debian's patches and retired ones included. Data only.
 */
#include "base/algo_names.h"
#include "config/option_rows.h"
#include "config/sshd_config.h"

#define AT(field_) offsetof(struct server_options, field_)

#define MATCH     OPTION_MATCHABLE
#define LOUD      OPTION_RESTRICTS
#define FILE_EACH (OPTION_ONE_WORD | OPTION_UNIQUE | OPTION_TILDE)

/* clang-format off */
static const struct option_word root_words[] = {
    {"without-password", ROOT_PROHIBIT_PASSWORD}, {"prohibit-password", ROOT_PROHIBIT_PASSWORD},
    {"forced-commands-only", ROOT_FORCED_COMMANDS_ONLY},
    {"yes", ROOT_YES}, {"true", ROOT_YES}, {"no", ROOT_NO}, {"false", ROOT_NO},
    {NULL, 0},
};
static const struct option_word gateway_words[] = {
    {"clientspecified", GATEWAY_CLIENT_SPECIFIED}, {"yes", GATEWAY_YES}, {"true", GATEWAY_YES},
    {"no", GATEWAY_NO}, {"false", GATEWAY_NO},
    {NULL, 0},
};
static const struct option_word forwarding_words[] = {
    {"yes", FORWARDING_ALL}, {"all", FORWARDING_ALL}, {"true", FORWARDING_ALL},
    {"no", FORWARDING_NO}, {"false", FORWARDING_NO},
    {"remote", FORWARDING_REMOTE}, {"local", FORWARDING_LOCAL},
    {NULL, 0},
};
static const struct option_word tunnel_words[] = {
    {"no", TUNNEL_NO}, {"false", TUNNEL_NO}, {"point-to-point", TUNNEL_POINT_TO_POINT},
    {"ethernet", TUNNEL_ETHERNET}, {"yes", TUNNEL_YES}, {"true", TUNNEL_YES},
    {NULL, 0},
};
static const struct option_word compression_words[] = {
    {"yes", COMPRESSION_DELAYED}, {"delayed", COMPRESSION_DELAYED}, {"true", COMPRESSION_DELAYED},
    {"no", COMPRESSION_NO}, {"false", COMPRESSION_NO},
    {NULL, 0},
};
const struct option_word option_hash_words[] = {
    {"SHA256", FINGERPRINT_SHA256}, {"MD5", FINGERPRINT_MD5}, {"SHA1", FINGERPRINT_SHA1},
    {"SHA384", FINGERPRINT_SHA384}, {"SHA512", FINGERPRINT_SHA512},
    {NULL, 0},
};
const struct option_word option_facility_words[] = {
    {"DAEMON", 3}, {"USER", 1}, {"AUTH", 4}, {"AUTHPRIV", 10}, /* RFC 5424 6.2.1 */
    {"LOCAL0", 16}, {"LOCAL1", 17}, {"LOCAL2", 18}, {"LOCAL3", 19},
    {"LOCAL4", 20}, {"LOCAL5", 21}, {"LOCAL6", 22}, {"LOCAL7", 23},
    {NULL, 0},
};
static const struct option_word pubkey_words[] = {
    {"touch-required", PUBKEY_TOUCH_REQUIRED}, {"verify-required", PUBKEY_VERIFY_REQUIRED},
    {NULL, 0},
};
static const struct option_word isolation_words[] = {
    {"auto", ISOLATION_AUTO}, {"user", ISOLATION_USER}, {"key", ISOLATION_KEY},
    {"connection", ISOLATION_CONNECTION},
    {NULL, 0},
};
static const struct option_word format_words[] = {
    {"text", LOG_FORMAT_TEXT}, {"json", LOG_FORMAT_JSON},
    {NULL, 0},
};

const struct option_row option_server_rows[] = {
    BLOCK("Match"),
    BLOCK("Include"),

    /* listening */
    BUILT(OPTION_PORTS,    "Port",              0, ports, "22"),
    BUILT_WORD(            "AddressFamily",     0, address_family, "any", option_family_words),
    BUILT(OPTION_LISTEN,   "ListenAddress",     0, listen_texts, NULL),
    BUILT(OPTION_SECONDS,  "LoginGraceTime",    0, login_grace_time_s, "120"),
    BUILT(OPTION_STARTUPS, "MaxStartups",       0, max_startups, "10:30:100"),
    BUILT_INT(             "PerSourceMaxStartups", OPTION_MAY_NONE, per_source_max_startups,
                           "none", 0, INT32_MAX),
    BUILT(OPTION_BLOCK_SIZE, "PerSourceNetBlockSize", 0, per_source_net_block_size, "32:128"),
    BUILT(OPTION_PENALTIES, "PerSourcePenalties", 0, per_source_penalties, "yes"),
    BUILT_KIND(OPTION_STRING, "PerSourcePenaltyExemptList", 0, per_source_penalty_exempt_list,
               "none", OPTION_CHECK_ADDRESSES),
    BUILT(OPTION_FLAG,     "RefuseConnection",  MATCH, refuse_connection, "no"),
    BUILT(OPTION_FLAG,     "UseDNS",            LOUD, use_dns, "no"),
    BUILT(OPTION_QOS,      "IPQoS",             MATCH, ip_qos, "ef cs0"),
    BUILT_WORD(            "Compression",       0, compression, "yes", compression_words),
    BUILT_KIND(OPTION_COMMAND, "VersionAddendum", 0, version_addendum, "none",
               OPTION_CHECK_ADDENDUM),
    BUILT_KIND(OPTION_STRING, "RDomain",        MATCH, rdomain, "none", OPTION_CHECK_NONE_ONLY),
    BUILT_INT(             "MaxAuthTries",      MATCH, max_auth_tries, "6", 0, INT32_MAX),
    BUILT_INT(             "MaxSessions",       MATCH, max_sessions, "10", 0, INT32_MAX),
    BUILT(OPTION_FLAG,     "TCPKeepAlive",      0, tcp_keep_alive, "yes"),
    BUILT(OPTION_SECONDS,  "ClientAliveInterval", MATCH, client_alive_interval_s, "0"),
    BUILT_KIND(OPTION_LIST, "ChannelTimeout",   MATCH, channel_timeouts, NULL,
               OPTION_CHECK_TIMEOUT),
    BUILT(OPTION_SECONDS,  "UnusedConnectionTimeout", MATCH | OPTION_MAY_NONE,
                           unused_connection_timeout_s, "none"),
    BUILT_INT(             "ClientAliveCountMax", MATCH, client_alive_count_max, "3", 0, INT32_MAX),
    BUILT(OPTION_STRING,   "PidFile",           0, pid_file, "/run/sshd.pid"),
    BUILT_WORD(            "LogLevel",          MATCH, log_level, "INFO", option_log_level_words),
    BUILT_WORD(            "LogFormat",         0, log_format, "text", format_words), /* ours */
    BUILT_WORD(            "SyslogFacility",    0, syslog_facility, "AUTH", option_facility_words),
    BUILT_KIND(OPTION_LIST, "LogVerbose",       MATCH, log_verbose, NULL, OPTION_CHECK_ALONE),
    BUILT_WORD(            "FingerprintHash",   0, fingerprint_hash, "SHA256", option_hash_words),
    BUILT_WORD(            "Isolation",         MATCH, isolation, "auto", isolation_words), /* ours */

    /* who may log in */
    BUILT(OPTION_APPEND,   "HostKey",           FILE_EACH, host_keys,
                           "/etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_ecdsa_key "
                           "/etc/ssh/ssh_host_ed25519_key"),
    BUILT(OPTION_APPEND,   "HostCertificate",   FILE_EACH, host_certificates, NULL),
    BUILT(OPTION_STRING,   "HostKeyAgent",      OPTION_TILDE, host_key_agent, "none"),
    BUILT_KIND(OPTION_LIST, "AuthorizedKeysFile", MATCH, authorized_keys_files,
               ".ssh/authorized_keys .ssh/authorized_keys2", OPTION_CHECK_ALONE),
    BUILT_KIND(OPTION_COMMAND, "AuthorizedKeysCommand", MATCH, authorized_keys_command, "none",
               OPTION_CHECK_PROGRAM),
    BUILT(OPTION_STRING,   "AuthorizedKeysCommandUser", MATCH, authorized_keys_command_user,
                           "none"),
    BUILT(OPTION_STRING,   "TrustedUserCAKeys", MATCH | OPTION_TILDE, trusted_user_ca_keys, "none"),
    BUILT_KIND(OPTION_LIST, "RevokedKeys",      MATCH, revoked_keys, "none",
               OPTION_CHECK_ALONE),
    BUILT(OPTION_STRING,   "AuthorizedPrincipalsFile", MATCH, authorized_principals_file, "none"),
    BUILT_KIND(OPTION_COMMAND, "AuthorizedPrincipalsCommand", MATCH,
               authorized_principals_command, "none", OPTION_CHECK_PROGRAM),
    BUILT(OPTION_STRING,   "AuthorizedPrincipalsCommandUser", MATCH,
                           authorized_principals_command_user, "none"),
    BUILT_KIND(OPTION_LIST, "AuthenticationMethods", MATCH, authentication_methods, "any",
               OPTION_CHECK_METHODS),
    BUILT(OPTION_FLAG,     "PasswordAuthentication", MATCH, password_authentication, "yes"),
    BUILT(OPTION_FLAG,     "KbdInteractiveAuthentication", MATCH, kbd_interactive_authentication,
                           "yes"),
    BUILT(OPTION_FLAG,     "PermitEmptyPasswords", MATCH, permit_empty_passwords, "no"),
    BUILT(OPTION_FLAG,     "UsePAM",            0, use_pam, "no"),
    BUILT(OPTION_STRING,   "PAMServiceName",    MATCH, pam_service_name, "sshd"),
    BUILT(OPTION_FLAG,     "StrictModes",       0, strict_modes, "yes"),
    BUILT_WORD(            "PermitRootLogin",   MATCH, permit_root_login, "prohibit-password",
                           root_words),
    BUILT(OPTION_FLAG,     "PubkeyAuthentication", MATCH, pubkey_authentication, "yes"),
    BUILT_KIND(OPTION_APPEND, "AllowUsers",     MATCH, allow_users, NULL, OPTION_CHECK_USER),
    BUILT_KIND(OPTION_APPEND, "DenyUsers",      MATCH, deny_users, NULL, OPTION_CHECK_USER),
    BUILT(OPTION_APPEND,   "AllowGroups",       MATCH, allow_groups, NULL),
    BUILT(OPTION_APPEND,   "DenyGroups",        MATCH, deny_groups, NULL),
    BUILT_INT(             "RequiredRSASize",   MATCH, required_rsa_size, "1024", 0, INT32_MAX),
    {.name = "PubkeyAuthOptions", .type = OPTION_BITS, .flags = MATCH,
     .offset = AT(pubkey_auth_options), .fallback = "none", .words = pubkey_words},

    /* forwarding */
    BUILT_WORD(            "GatewayPorts",      MATCH, gateway_ports, "no", gateway_words),
    BUILT_WORD(            "AllowTcpForwarding", MATCH, allow_tcp_forwarding, "yes",
                           forwarding_words),
    BUILT_WORD(            "AllowStreamLocalForwarding", MATCH, allow_stream_local_forwarding,
                           "yes", forwarding_words),
    BUILT(OPTION_MASK,     "StreamLocalBindMask", MATCH, stream_local_bind_mask, "0177"),
    BUILT(OPTION_FLAG,     "StreamLocalBindUnlink", MATCH, stream_local_bind_unlink, "no"),
    BUILT(OPTION_FLAG,     "AllowAgentForwarding", MATCH, allow_agent_forwarding, "yes"),
    BUILT_WORD(            "PermitTunnel",      MATCH, permit_tunnel, "no", tunnel_words),
    BUILT(OPTION_FLAG,     "DisableForwarding", MATCH, disable_forwarding, "no"),
    BUILT_KIND(OPTION_LIST, "PermitOpen",       MATCH, permit_open, "any",
               OPTION_CHECK_PERMIT_OPEN),
    BUILT_KIND(OPTION_LIST, "PermitListen",     MATCH, permit_listen, "any",
               OPTION_CHECK_PERMIT_LISTEN),

    /* sessions */
    BUILT(OPTION_FLAG,     "PermitSession",     MATCH, permit_session, "yes"), /* ours */
    BUILT(OPTION_FLAG,     "PermitTTY",         MATCH, permit_tty, "yes"),
    BUILT(OPTION_COMMAND,  "ForceCommand",      MATCH, force_command, "none"),
    BUILT(OPTION_SUBSYSTEM, "Subsystem",        MATCH, subsystems, NULL),
    BUILT_KIND(OPTION_APPEND, "AcceptEnv",      MATCH, accept_env, NULL, OPTION_CHECK_ENV),
    BUILT_KIND(OPTION_LIST, "SetEnv",           MATCH, set_env, NULL, OPTION_CHECK_ASSIGNMENT),
    BUILT(OPTION_STRING,   "ChrootDirectory",   MATCH | LOUD, chroot_directory, "none"),
    BUILT(OPTION_STRING,   "PermitUserEnvironment", 0, permit_user_environment, "no"),
    BUILT(OPTION_FLAG,     "PermitUserRC",      MATCH, permit_user_rc, "yes"),
    BUILT(OPTION_FLAG,     "PrintMotd",         0, print_motd, "yes"),
    BUILT(OPTION_FLAG,     "PrintLastLog",      0, print_last_log, "yes"),
    BUILT(OPTION_FLAG,     "ExposeAuthInfo",    MATCH, expose_auth_info, "no"),
    BUILT(OPTION_STRING,   "Banner",            MATCH, banner, "none"),

    /* algorithms */
    BUILT_KIND(OPTION_ALGORITHMS, "Ciphers",    0, ciphers, NULL, ALGO_NAMES_CIPHER),
    BUILT_KIND(OPTION_ALGORITHMS, "MACs",       0, macs, NULL, ALGO_NAMES_MAC),
    BUILT_KIND(OPTION_ALGORITHMS, "KexAlgorithms", 0, kex_algorithms, NULL, ALGO_NAMES_KEX),
    BUILT_KIND(OPTION_ALGORITHMS, "HostKeyAlgorithms", 0, host_key_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT_KIND(OPTION_ALGORITHMS, "PubkeyAcceptedAlgorithms", MATCH, pubkey_accepted_algorithms,
               NULL, ALGO_NAMES_HOST_KEY),
    BUILT_KIND(OPTION_ALGORITHMS, "CASignatureAlgorithms", MATCH | OPTION_PLAIN,
               ca_signature_algorithms, NULL, ALGO_NAMES_HOST_KEY),
    BUILT(OPTION_STRING,   "ModuliFile",        OPTION_TILDE, moduli_file, "/etc/ssh/moduli"),
    BUILT(OPTION_REKEY,    "RekeyLimit",        MATCH, rekey_limit, "default none"),
    BUILT(OPTION_WINDOW,   "AditWindow",        MATCH, window, "128M 256M 1G"), /* ours */

    /* aditd finds its own programs; these are kept for who reads the paths. */
    BUILT(OPTION_STRING,   "SshdSessionPath",   0, sshd_session_path,
                           "/usr/lib/openssh/sshd-session"),
    BUILT(OPTION_STRING,   "SshdAuthPath",      0, sshd_auth_path, "/usr/lib/openssh/sshd-auth"),

    /* out of scope: accepted, printed, without effect; defaults are Debian's sshd's */
    IDLE("X11Forwarding",           MATCH, "no", OPTION_CHECK_FLAG),
    IDLE("X11DisplayOffset",        MATCH, "10", OPTION_CHECK_NONE),
    IDLE("X11UseLocalhost",         MATCH, "yes", OPTION_CHECK_FLAG),
    IDLE("XAuthLocation",           0, "/usr/bin/xauth", OPTION_CHECK_NONE),
    IDLE("IgnoreRhosts",            MATCH, "yes", OPTION_CHECK_NONE),
    IDLE("IgnoreUserKnownHosts",    0, "no", OPTION_CHECK_FLAG),
    IDLE("HostbasedAuthentication", MATCH, "no", OPTION_CHECK_FLAG),
    IDLE("HostbasedUsesNameFromPacketOnly", MATCH, "no", OPTION_CHECK_FLAG),
    BUILT_KIND(OPTION_ALGORITHMS, "HostbasedAcceptedAlgorithms", MATCH,
               hostbased_accepted_algorithms, NULL, ALGO_NAMES_HOST_KEY),
    IDLE("KerberosAuthentication",  MATCH, "no", OPTION_CHECK_FLAG),
    IDLE("KerberosOrLocalPasswd",   0, "yes", OPTION_CHECK_FLAG),
    IDLE("KerberosTicketCleanup",   0, "yes", OPTION_CHECK_FLAG),
    ACCEPTED("KerberosGetAFSToken", 0),
    IDLE("GSSAPIAuthentication",    MATCH, "no", OPTION_CHECK_FLAG),
    IDLE("GSSAPICleanupCredentials", 0, "yes", OPTION_CHECK_FLAG),
    ACCEPTED("GSSAPIDelegateCredentials", 0),
    IDLE("GSSAPIKeyExchange",       0, "no", OPTION_CHECK_FLAG),
    IDLE("GSSAPIStrictAcceptorCheck", 0, "yes", OPTION_CHECK_FLAG),
    IDLE("GSSAPIStoreCredentialsOnRekey", 0, "no", OPTION_CHECK_FLAG),
    IDLE("GSSAPIKexAlgorithms",     0,
         "gss-group14-sha256-,gss-group16-sha512-,gss-nistp256-sha256-,gss-curve25519-sha256-,"
         "gss-group14-sha1-,gss-gex-sha1-", OPTION_CHECK_NONE),
    IDLE("SecurityKeyProvider",     0, "internal", OPTION_CHECK_NONE),
    ACCEPTED("DebianBanner", 0),

    /* other spellings */
    ALIAS("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("SKeyAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("DSAAuthentication", "PubkeyAuthentication"),
    ALIAS("HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ALIAS("HostDSAKey", "HostKey"),
    ALIAS("KeepAlive", "TCPKeepAlive"),
    ALIAS("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),

    /* retired */
    DEPRECATED("AFSTokenPassing"),
    DEPRECATED_IN_MATCH("AuthorizedKeysFile2"),
    DEPRECATED("CheckMail"),
    DEPRECATED("GSSUseSessionCredCache"),
    DEPRECATED("KerberosTgtPassing"),
    DEPRECATED("KeyRegenerationInterval"),
    DEPRECATED("PAMAuthenticationViaKbdInt"),
    DEPRECATED("Protocol"),
    DEPRECATED("ReverseMappingCheck"),
    DEPRECATED("RhostsAuthentication"),
    DEPRECATED_IN_MATCH("RhostsRSAAuthentication"),
    DEPRECATED_IN_MATCH("RSAAuthentication"),
    DEPRECATED("ServerKeyBits"),
    DEPRECATED("UseLogin"),
    DEPRECATED("UsePrivilegeSeparation"),
    DEPRECATED("VerifyReverseMapping"),
};
/* clang-format on */

const size_t option_server_row_count = ARRAY_LEN(option_server_rows);
_Static_assert(ARRAY_LEN(option_server_rows) <= OPTION_ROWS_MAX,
               "struct option_state is too small");
