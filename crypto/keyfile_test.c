/*
 * Files of real programs are read, and files that lie are not. The keys below were generated for
 * this test with OpenSSH 9.2's ssh-keygen and OpenSSL 3.0's genpkey and are used nowhere else; the
 * passphrase of the encrypted ones is "secret" or "abcd".
 */
#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "crypto/test_help.h"
#include "tests/unit.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* clang-format off */
static const char ed25519_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACCYfZu0+XUUgYkGgSBov8LGNHiUvEjxXq+agAiV/bWN6gAAAJgW/J+FFvyf\n"
    "hQAAAAtzc2gtZWQyNTUxOQAAACCYfZu0+XUUgYkGgSBov8LGNHiUvEjxXq+agAiV/bWN6g\n"
    "AAAEAlNjzB5vqqytBS6vIOQs/6+M9lKtHOuGPSiLg0XkvVVph9m7T5dRSBiQaBIGi/wsY0\n"
    "eJS8SPFer5qACJX9tY3qAAAAD2ZpeHR1cmUgZWQyNTUxOQECAwQFBg==\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char ecdsa256_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQTz0z2u1mQanXPwAIYQ3blRXgxoakFd\n"
    "cPSewZHufLROK2cpmfwpNul2zmlVNN+wjNhR9gFa4lV5JYZcDKaP/vOmAAAAsFGvw89Rr8\n"
    "PPAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPPTPa7WZBqdc/AA\n"
    "hhDduVFeDGhqQV1w9J7Bke58tE4rZymZ/Ck26XbOaVU037CM2FH2AVriVXklhlwMpo/+86\n"
    "YAAAAhAL1ikK9XPePyXTYcsduey2QzEw+HAf24UJK7FVvrokLKAAAAEWZpeHR1cmUgZWNk\n"
    "c2EgMjU2AQIDBAUG\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char ecdsa384_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAiAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwMzg0AAAACG5pc3RwMzg0AAAAYQSczm7cTvYDvU7OniE+iXdZTqsNe7NQ\n"
    "r9/FbsP6dw5JcElgLqhGL5+BqjzyiKa0RBP4qmef2oGa9kP87pEH4M8Sutyre3liQUh6ez\n"
    "i9fd6wzi31UrW2FnOOusrLOZnrk7cAAADgT3A8XE9wPFwAAAATZWNkc2Etc2hhMi1uaXN0\n"
    "cDM4NAAAAAhuaXN0cDM4NAAAAGEEnM5u3E72A71Ozp4hPol3WU6rDXuzUK/fxW7D+ncOSX\n"
    "BJYC6oRi+fgao88oimtEQT+Kpnn9qBmvZD/O6RB+DPErrcq3t5YkFIens4vX3esM4t9VK1\n"
    "thZzjrrKyzmZ65O3AAAAMQCLJQRohaqlfe0ZJMD7wvAQupRWqsn8pT97wlaT9BztCD5nNX\n"
    "hzd5Tqg3Us+daBWG8AAAARZml4dHVyZSBlY2RzYSAzODQBAgMEBQY=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char ecdsa521_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAArAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwNTIxAAAACG5pc3RwNTIxAAAAhQQA9lw0txjlBD+N+YdnG8Dqtjaw0es/\n"
    "MO6+4j/vhX5AyMhaQH2FhU+ZIJo195HLw1JL6hQBUC69cBKoPxGrkhcXQsgANgvG8AaSRE\n"
    "+neGfm2q4GAjz1B17ffmqvhDYcK0FUd6Fq+F38ZW0Je9DFr4LjjZ3xtYrUpeJvAbu+Z0fG\n"
    "zi2Zgr4AAAEQoQdHiKEHR4gAAAATZWNkc2Etc2hhMi1uaXN0cDUyMQAAAAhuaXN0cDUyMQ\n"
    "AAAIUEAPZcNLcY5QQ/jfmHZxvA6rY2sNHrPzDuvuI/74V+QMjIWkB9hYVPmSCaNfeRy8NS\n"
    "S+oUAVAuvXASqD8Rq5IXF0LIADYLxvAGkkRPp3hn5tquBgI89Qde335qr4Q2HCtBVHehav\n"
    "hd/GVtCXvQxa+C442d8bWK1KXibwG7vmdHxs4tmYK+AAAAQgHD0VIVNGqrF9JlomcA8wFB\n"
    "FXFQBuwxtKfBnP9sXhbDh9Jey4l0OvyqQlFc3+G3IYwI2bPSdgef8OWusTxPdq+zlQAAAB\n"
    "FmaXh0dXJlIGVjZHNhIDUyMQE=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char rsa_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABFwAAAAdzc2gtcn\n"
    "NhAAAAAwEAAQAAAQEApUzzQt64FZ1UJICXfROdZ9fKErbvp9v8uHIIIg7F04igkk8tLYzl\n"
    "3wGLECglSgitN6McrySZIJHeRaPeM6CddQZFoDr+ewVc9diBXJBi41rQTVMNASV989Ik9p\n"
    "IG1OIN4T6BadFTByB9epPZCCrh0uEuWKtw+QQ5L9j0O6xgiougTJBptAELkfSInr9EMG26\n"
    "fJIKrY0cup5ou3ytSGcd61zMFFI9nsHJKBSmDoJl1+k/phlWkDQfOGHjoqyPTPWcewZeap\n"
    "mWrBzr/3vqmT+wWhrSExPn8ueA9JCOpiMmGUbc9x3wwpnNiZOxOFxTAg+g35Nlu/NFNjEC\n"
    "rWNTL+WYhQAAA8i6pewTuqXsEwAAAAdzc2gtcnNhAAABAQClTPNC3rgVnVQkgJd9E51n18\n"
    "oStu+n2/y4cggiDsXTiKCSTy0tjOXfAYsQKCVKCK03oxyvJJkgkd5Fo94zoJ11BkWgOv57\n"
    "BVz12IFckGLjWtBNUw0BJX3z0iT2kgbU4g3hPoFp0VMHIH16k9kIKuHS4S5Yq3D5BDkv2P\n"
    "Q7rGCKi6BMkGm0AQuR9Iiev0Qwbbp8kgqtjRy6nmi7fK1IZx3rXMwUUj2ewckoFKYOgmXX\n"
    "6T+mGVaQNB84YeOirI9M9Zx7Bl5qmZasHOv/e+qZP7BaGtITE+fy54D0kI6mIyYZRtz3Hf\n"
    "DCmc2Jk7E4XFMCD6Dfk2W780U2MQKtY1Mv5ZiFAAAAAwEAAQAAAQAD7SH8vUw4vItFGrDT\n"
    "zbrNaU4UHQ2a5Roe9MZwrf0mRcvamHra5sqG/i25bTAFjtMzy8dgpEk8LCV6w1EB1OzTMh\n"
    "pGm2Aet+/kqbHY6wJjosKT3kckIdSDYsMcquHyqIk/3RDh3JD7owVCphm08fUkjH4MqSB+\n"
    "fwqEsm3gBPt+Du0yuyD8REsTzIKXjIiFqFJx2mOsmRlXft6DyZkYsK8ISk2cMiPGQj0v1+\n"
    "yNNMeAi4BXk7ZqCvkq1LP/bw9tm/hiZZY4drAte6AIBnpmiUleGTjnGQA5WDLEAToeDqjH\n"
    "/oFEQROq/q2tNer8GzlQ/HIV+RcpnBMLfWhXxjazZSn5AAAAgQDBCJMgv30qV+s/O/nuOh\n"
    "Mb9xOhuwSUUKcT36J3AK3lqfH3D4jNBd43RLRDS3Y3BiY0caCkvS82U8FllDAZvsgb9cWT\n"
    "gqzCeEkzSblTt5zl+qGED/WkApug6qlhxRPOckmJ8BFnnongmGCkS4XyOqyIcbzbLF61EF\n"
    "4sEDAJpOTfOAAAAIEAzdpYHQ+6RzlEiXFoSIAcN1QZ/u23BVjUpE8k4P6sGRbf759lTcmu\n"
    "KeX2HwcveGLXDjdkXohoRG02N9aum25cIPovjnslL8LKcydm2QnE3DQu09DDpFGp4KdNGz\n"
    "CFgsbPH3ZRS+gVmGMWe/FdBrzRFWmx8vNzxgQvKfbtjzE//5sAAACBAM2RobTJH4P5l1/B\n"
    "tiKwEegaoJRNk/2hH4A7NR4Hb9qt5UBAx6peAoAbrHDqYWSGAl6I5qKqDHNUWLRvgSeeA2\n"
    "RPSdQX3tzaAWva2VtJzYKSCRnxvze7e+GciBAjJsOqu4HYj7L8HiK/777d0nEu6u99QIkI\n"
    "pqOOdy89jLYGkBpfAAAAC2ZpeHR1cmUgcnNhAQIDBAUGBw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char ed25519_encrypted_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCFRDAHRl\n"
    "/+s25OJ8EPVIJ5AAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAICKbV4akLVL/UPxz\n"
    "hVZao35vqgtbpoIbP060rhYdAmLqAAAAkFYj0imaklT1/3bJuKhxn6ZsGTm2ggI+akGqxi\n"
    "0evJG8Zj5LCNECoG5PafiGm5O0xfcGb+v1C4WeX/76M/Ftapwmz9VkdpIACfqMm2r8AYOk\n"
    "Ln1Wp7FF1D83OonlCLDmoEZLcau32gukmlblWZxn9eoVJsRahra5wEbkE70ndidV5T84Xk\n"
    "U2D/R8bjQ0tbaSrA==\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char rsa_pem_text[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEpAIBAAKCAQEAwh0vwMR2DL78Tv0vS71D2Hv9LSZZerEdgANO7YkBTgv4+iu+\n"
    "B77WliyYqRw5/OzDVxtogEtOJdmNJxpB7mg5TqICfCYmh6soL2RVnZrcULKZ0jc6\n"
    "Gm+z5+aH48sgZVKmt+HQDmLW1Qs/DiY0T0ChtITInD8wnGGTjH7+vtoszN1Kr92+\n"
    "3l+MIKIqGr/xwNAz/xrvRTQQqOr/oKnf5WzEOWZMjVjiDqz7CUvfNWsO56M0d2NF\n"
    "tx+dMh5xwN9bWQazL/RPnTk0WhkzMu4Q4FtdfZ11aMztrTd0aix2ndo7H51kvINj\n"
    "hz7ZkvsdHo/iH1MWbGR//PHzvGgiSbekSzZnowIDAQABAoIBAATF6fQwAIUctyCM\n"
    "GjsfCsmKdvXCwSWCsGqC6lBt84HDSpqAM9qF50nnC9PwtT5SZhVAv8eT0naczFs/\n"
    "Soq9tlcIJc5+s6jXXRQZP/+xnKRBWAXyxLN8tqxHn2TLDF9hcmcIHvETnhu7/I9x\n"
    "Ag1G1hMVxscMyLm3roSgZMw1mi9pYJ8I4cW+j+BFRA1L+n2sczWxJAW8picwQD7W\n"
    "pCdgtcYBaiAqLguojAt3QTJjtQvuXtnCveFFssuPZrArhOwFOIHbhHqaYXM/ABy+\n"
    "6nZD9ddkIoA/RdVSsC47s7NQTLLMGOGthGrZe2IY0gStTnJF0fL6lmuKZxZxPR3L\n"
    "gsRz54ECgYEA7De/gS3h6123rx9J2A+et+p6/ETkAHdInJaNDSPAlKjYfrZp1dj1\n"
    "Tk3cpIPSxVJra4U3HwGxu3pRiRQ/ELOJU1HQpCK1HtVWRCtyyh46q0iTJRQg6Xlt\n"
    "9x1jyKysA/WTYrH1a09XnwJDhwvuYSb1I/12Jt4J12W+lISXCrlBfIECgYEA0l7H\n"
    "nU1PYY/6tk5NEbmfRjR/573h/fN04m35FNap27uTGt+LA1bndXKM6PAzQ4Y4DtKf\n"
    "22he2+Dp3G5SHmXsfczR4kP4cHHdfEtjktKU9p6GozGt/UbYvUC6teHuHUFDzdAI\n"
    "CXnEFYnu7hSk+qSbOySUXvplv0WxK25zMj0ZYiMCgYEA3iZnodNGvpV6o+VnCx1V\n"
    "hV2toAYh7xY/YZRsvsi62pQYVsKysfzCZovvT4Dx/cTPZWT5O93aCpi0iZhS3yAZ\n"
    "rBQrhdFmSMMVyDKcV90qC9/LEnnloe0jL92h9B4AABE6NP1r8ynBG7eDTkQ4QYHj\n"
    "1Z8POOpkkwAKxZ4Udm9XWQECgYAsLAycAfy2DqZlG0Hhg+lms2VcAqnuSe10EgVo\n"
    "E77szZEQ5nlpBRlqttfRnYYWGpuwuRcp2dt5LdvNFjkV+u7SZ2x2pzEGY1JPZAEP\n"
    "djojIpxArhDLitG9w1axFDSMXgTftVvKqY+7ug+6XAlcO64AmCizXL56kCaoaPO1\n"
    "S9EFowKBgQCLoRwbwnbnnws3uvp1M8yGs1PwY4SEAMdNjxnZQM63dxhdTYGPjiTe\n"
    "OGqdVp8NoPPIQJa2GDbmMU6yZQ2OZ7lJR1BdfZEzSBvPIhpKI/KqnLHmm8iMV0nI\n"
    "j+y/y/bwsy4ujBRjhNgYWDLAka1SOmuXNnj1UiMnizrs6iartlM8EA==\n"
    "-----END RSA PRIVATE KEY-----\n";

static const char rsa_pkcs8_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDBOh9egaAzdEUj\n"
    "/7wuQCDBiUYe7uf78ypJ+uUnH6ErO1YjhGC1735qy5eDCKSXaWmSdnNL3tZRRm4V\n"
    "kXk04CMp53EGMmi2wOuNu7+4h7NkU6ofiCWV517SSGdAHQVu9gwP9reBQyxGrGxW\n"
    "KkEKnEEvAJmWtylgoG+bRQ8sm9hPX3SU2hJeGTXs5/l6u9qq7tYipnvWyBmYQjKe\n"
    "4UGefUfpOhajPB5kPx5it+KjOyWVzPuX9ybgEZpoBTb713y7gnXG8o8MYGlLoEJn\n"
    "tMF3ZX+4tlDLhIcLWHuajNrKAXaH3IiYy39tuQhKhODC8Su/ReLKsK3kDGxNhYTp\n"
    "XNIHqbg3AgMBAAECggEADTJnChFYW6tJPZgtxgrjMdSqUVqHxZFqBft4wx9J5qX6\n"
    "0BoucL6Wp7yX8H8anqy4ZSRp43iosoxY4Gg7Gv1j6WzBL2cp97FdZSS5h2TdP7Dn\n"
    "IZgu2PogY8RGKP7SbC2pzT1QcyefUoRcMdZY8tyRJyCnXL/Nt6e9d6FT0/wg3erM\n"
    "j9u/SoqZoiyoLLYyChMBCjXEI25LMGC7NMfM+5p6DrHTmJq2bhvEZaXiEFRRQyqS\n"
    "LTvEbkDym4jZZTYBBqWtr9K4O7CmEB745WiHWva30YzoQ4bR20g+cJ22oG1Y+RJz\n"
    "iT5Mn+x3RSn9bWkKbYCcnErwd4WDmL4DgqnqqYYY4QKBgQDy7dNs48RNfxc0l34L\n"
    "hiUR9JUaHRuTCnKqUH9s31EedchdtNAq6XwgJPYAVEX3jiBzkQARt647e03BxbHU\n"
    "iibX2oeOSn1ScRtDjzxtaRBbnwF4TvELc5ydQnkQW8Ow6ro09jOsvUlEspKbOu55\n"
    "3dHuw8gH+SqPFtbuWTBS4jx/tQKBgQDLn6/9MmNPkAA4V1LtjjGuYHeCmbwpShj+\n"
    "RJoCTqVRa3GXZBvvUIqSLZzWvjw87g+DsRAnHY6PZcUhly6uGo3trirxSqT9pO1C\n"
    "UAnJN9nmi13On9wngwYfRGTSFioEY4P6qKo/OwMkRb5ritfsTULf186GNKndUDZ3\n"
    "aTNIusYTuwKBgCJ9w+wM9r0uE0RjUgEe3bqL6HOZuGWLMTafUUhK+MCDZpxvZLMD\n"
    "DZ2ewdLQJFL+ufrOlpztYG6Plj2x7QrJRrSVEXQRfXOsHXvdJW4/YZQwokvLoYvH\n"
    "sW/elUPOU52V5jRI1JNtGK8JT6l8l4l0Bi+JWqhPJ0zDqGaVAThzaLWVAoGBAILt\n"
    "E4CvFHIE+k8/vr+mLUWdG1rrNLQrw7RCMfCH1v5qImigYuHWnLLvByiAu0TGIU2g\n"
    "3Oz5sT98xWsaxVYHFvkbgtsRDtNUZ4W65v/tnHsDY3bHDQyOz7HtDRKUU8HspuDV\n"
    "8FmlvRhmi9CkPr/e0cASB+X9GLeHqu3Ow73g8hmfAoGACtYBQGxpps53OSA3BRXK\n"
    "wUm1/56RYt7BnoFbGDL6vf6mGQ4Pk06+YZMQVmDYMuscUCWeyjbvpZAnse0d1b9x\n"
    "2tTnHrL2hGGzgh6Oz29mg6Ed6T5DH6BhYs23Wf9T0i3lRqchMBfys9TtfR+9EcOI\n"
    "LurngpymFVqZGKHj6RkbpIM=\n"
    "-----END PRIVATE KEY-----\n";

static const char ecdsa_sec1_text[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIGMA29nfZIf7WbWihIk+4wOpccBVPLEjXIqJP4euJPm+oAoGCCqGSM49\n"
    "AwEHoUQDQgAEz+g849+mSkYACNPg+lJ1fjzdSLa+9zTcJN9EMZqvrtLM6niW+JqK\n"
    "6HGC9NBTbo3lXSiHeMUtLcl5pnh4uln4vA==\n"
    "-----END EC PRIVATE KEY-----\n";

static const char ecdsa_pkcs8_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgej+r2q17DkMDnsXG\n"
    "7M0MyOGUbEXwqQeizF946r1UmPWhRANCAASE77SCmD7OdLvp+LMJ74kgwqWMVtRN\n"
    "/TBPJm7FLs/lckNNSkbPyX/S5W24lXP38R+7T4yw9P7SUOmF+8R0Juup\n"
    "-----END PRIVATE KEY-----\n";

static const char ecdsa_compressed_text[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MFcCAQEEIGMA29nfZIf7WbWihIk+4wOpccBVPLEjXIqJP4euJPm+oAoGCCqGSM49\n"
    "AwEHoSQDIgACz+g849+mSkYACNPg+lJ1fjzdSLa+9zTcJN9EMZqvrtI=\n"
    "-----END EC PRIVATE KEY-----\n";

static const char ed25519_pkcs8_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIA9TqZn6V1XQAwe0Ih5GS3eo9p4fRyFHSPBXpsaBkM5R\n"
    "-----END PRIVATE KEY-----\n";

static const char rsa_pem_encrypted_text[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,145821A56441B2C50B79E29C95DD7AA9\n"
    "\n"
    "3sKdik0Xm80H37Jryo78Kq49Ua5r16KzIERlrpUyzSQMdywUMKyPNyZrQxJoQuSL\n"
    "4p0sC5D8nvJTQ4huupe9otqrO7YCsfZr+ezZNPpT4xVGLva2JmmSz54+Z5aysmR1\n"
    "9UaHFsqna6bsDWUwmmOc0ay6thtYpWxIhJb1U3KDFsmjWXJmlpA3svcRwsVy1AY9\n"
    "sktgnxEP0bAlcEsixTucp84ltW7jYy8dJn+KRnsbYukYU9uaX+KDbFIEuFkQw46H\n"
    "6jrDBnzoEfdzr1t8lD4wMl8aTZ5S4mfN2sd9FhGboNy3sNOVJma0dpm43pRJoWNW\n"
    "VDruZBpUQ6xIXtvWx7YZNB2utA+awP04F510sz2bQXe5SefAS4R4vuL0ldSfo22B\n"
    "NHba21UfsOQKBcm32+JcS72gJQvIaovdLkp6pr9KmGuP4+r0ioFD5ovAFi0lH7JI\n"
    "SY3yinF8H6Dlxm64mJYAZVbw7ZEpgojnNvyT9u4K2CgESvf8jcpO1wfPwlbsjzjV\n"
    "dMKBS4OBK1FBMqi9W4hv0dSaFvZUiWAuHBpiOXg1Q/T6dGBdM8+S0DCodTmf/0vz\n"
    "o2Wp3W/LDrcbpfZtCzoZoe728GDsQ9zwfpbDuwqj34VTrPiUSwEWTikCODyJgps8\n"
    "wWx7Kr7o2kUdI2Ir/3221nuWSZ2du4zgxk7++qDblok/9H+e9EvX9kTs3su+48GR\n"
    "Jh9QDyAVZCEhTjOmTxmxSiDVmithdAg7yygdoIP/mK5U6JFzHbFv+DLRgE96YEyf\n"
    "WKjCFHr9UiCVKBMr2iWJnLY5atOebTtH4mvnfNVZs445olTZpZmuYsfhuhgOezlW\n"
    "SPhbBHa86qLvn4bmOAIVaQNsn2mrBu+E5CwNKPXrijwjMuC6oQojAukGTeR/xgZ+\n"
    "dX8JR/JhBCO/REJb6SdrlvDCIL4PeQXVhTGHDVz5JhTADHx86eep/olFA+i5Q5iB\n"
    "X1t8TQ/S54ly1mkxA32rqGeFcXMepBTeBXj4jol/auEDqXmbwcZ6zy5Ssuc7/N7v\n"
    "wB0Amf7hPqREYmAyWiF2clhQ+2oiIAk0/t9ta7oPaV1ap8GSW/QJVhKppecQ0v2F\n"
    "1HJEK9t4wE1gUMByd82O6MSG8ovNFashKvWW+ye1+cTehM7z3/1QbbJvuNzMK4Yz\n"
    "UVAejYSbIvl01KjcWbEbvtyvfH9kOXeMamwv+UaFC872zZEl+hoeFyt31XUm+6BY\n"
    "4cRKLBiwsTvHuV9K66AFYEtX/htGsS9DvHmIKBvUlnK4DrhQ6/7N6PU/ig998x4B\n"
    "PUh1dM/ZRcVg/ZPuoC1ekuza1ESidYn1Y9dNo8f3NcjslbdpRtjlqGYX2p+d3H5e\n"
    "juIEOe3BN5BeZxwLtslQkfAC4sCm8NIRnsjPT8n1YT2cn+8Y7sGjzMK5A0k761qn\n"
    "5RR5f+COdrG6EK/1+p97Tq2azesAmKsRbFWAzPuU39fRLUzXaXkSE72FDKl57gJ3\n"
    "GgUE7OOst1wonvLWITJndqkUZfTo2u+Q6pYTS4k111UNRZiZJsQELqp/M1bOS7Hu\n"
    "xdmuR1Pt9ncgdTkQGe6q4DGUPadCeCg9uZtMDWU530K0uQytakh7A14jAMaAn/EJ\n"
    "-----END RSA PRIVATE KEY-----\n";

static const char rsa_pkcs8_encrypted_text[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIlCt/dc/HX8MCAggA\n"
    "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBC0Z5woTZRyu1tc1EE1kKbeBIIE\n"
    "0GgaaH45TY46w/3Kax+Ts8sH9Tu1iZLbIXWtZfFcZHtIx2t6E4csSuWvpXLPOs+8\n"
    "hvl/UAV9TjqWv+FvAB0cauzWmSYREMnAiRN9PkNFFT3wctnevPPNc5ViJXNcjOXm\n"
    "y+hT9t5i2YrRqyQrjuhjiotK5qLSnAy/h9gmamkTEEHwHToocAkxKaiGdBCIziC+\n"
    "Rn65MWkiIcDyWW+QT+FG8hx1YPAWVAdEIMCdYjPfv8q5yB5rd8xwWm54oljrhK3r\n"
    "y2NPj8DjnmabAs1Tgf43RU7dsxLNhuNUBOrg7b9tmcW1nJ/7ftD11PKPF60mgEtF\n"
    "4e4beGxuAoj9JlBVISrCwfXmGdNoofkOKIlU5TUmdCCt7mcnsVTEPGlMLk9H1QRT\n"
    "PxwMU2SLxy6Ob6rwY8/WRn9uHZPNhIwltyAn9+OWTGBHXbuU6a/LSykeuvtxdfab\n"
    "puBnmGAxOHb4UW37OvybK0r8i+/uILdTowtM3oZPMZRX2V03G+0uQwwArh4XMTBX\n"
    "qxGL4tGR5CO+rcUN0K3fzC7tjcoIT0SBH9aa6jQCqzNdkmbxTCTK3Grg6oNilcix\n"
    "PEdVccUJW/aHvxAn2YysR/DtsA9nQ7DTTLXkpg2LmWntuqPQevcnWDegoqJU2nsW\n"
    "LfuZqZzdaVChqrMQAcjpdnEGM+mdpgXKDWa5EwTRdR/IQoDr9lbapLwIe+XbjT6b\n"
    "Y38I9CRjlEWXtDN07LanVc4pr4JR2T/9avBVTY9oMSERoDZNGfgByrOCIVnx4GSu\n"
    "DhYKfSYZDuwYGVj1uNlxP4whLkszwRVGc28tfFaScgBqpptyBlEj/V7Zuf+TcfyW\n"
    "yqK+N5wMbRwBC01YLONTRVIlvRjHbzxYxIHeqRYt1aDDQk8NVKXjWsP0kvL1Xc3h\n"
    "DoqGvr8idt2M3o7xWDvwBTO+NXPKxsAOMDnTCEVdAvm0pSETjeQiQMRWxGQfLaQ1\n"
    "0Kh0xwzKjWIH6DTwKYLhHJ76+VSzv0lWco9GTyvhNRAxunkGfiLZp1Pd4qrhpb8z\n"
    "GsXD6AohAXmrgUwNpQx506WfE19sX7dZCIYdIT3mQK0HZNFPJ3H+hH6B4k/+WktX\n"
    "YYCoa+cgHdK2/qGqTiweJqI2Q7BiIs2CPPZqZfH1SDokDh4jIxDhC7HIiWv39s+V\n"
    "8MyGWSjY31F0nAcIyj0v5AhOfR8DaZqiUcteHj6vI2DOhHvJiFYm/sys0FbAA9wM\n"
    "sBvsJ1zU5UpwrcyIk2n4oarNtUyBxbUnKBUCi4vqFWrgIpO2ig3r+JqLN9QZBfjk\n"
    "D25HvoE2uuEWXgq8r6Ewq12ltifcgOVAZJkzHWnXTc5MgjGLMJQf0Blty3NRHCfp\n"
    "kG32Fo04Fw8PVgSCUjfyqw+Fre5sQpHEQSnmog0y4bgvxt5hI4fIHurFAX3tH/GP\n"
    "pQnZiDiB29cRsNOZoPByrp4zeEAkkemyxRVxHWwuGe0rUKRiZVJiUDiRp/AnDSeK\n"
    "rTvD7HVcxBfm/nMVK51PORLTB9ncc6geUaHDWYnUkE+pENbK4bupoMX4Qq54a2pF\n"
    "Kj0L+3dt8gmsV9OgmjnlgGbunM6f88t6CbMYanwXIQ+if4LeTVGgrT5oVvgnwNbu\n"
    "u+CK0G0fvolP9kSByFJ8m67o6RRL1EnxJDge9l0BjIxY\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char rsa1024_text[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAlwAAAAdzc2gtcn\n"
    "NhAAAAAwEAAQAAAIEA30eSLFbmWo6kcZ6VhhyVqPnGiNruaHopyyt8NyL9RZShdrHQPkCi\n"
    "6hOmm6e0knV0tzHHGnQ/VNxHScrbJrSsPkftD+c7xmzyQqhFAbraC54axXIq61rC23Bvj4\n"
    "4onITH0J6oC5j3vvzp0mgdWGGOQXLmMHpJP7jCp2lhOp0CwacAAAH42C/rq9gv66sAAAAH\n"
    "c3NoLXJzYQAAAIEA30eSLFbmWo6kcZ6VhhyVqPnGiNruaHopyyt8NyL9RZShdrHQPkCi6h\n"
    "Omm6e0knV0tzHHGnQ/VNxHScrbJrSsPkftD+c7xmzyQqhFAbraC54axXIq61rC23Bvj44o\n"
    "nITH0J6oC5j3vvzp0mgdWGGOQXLmMHpJP7jCp2lhOp0CwacAAAADAQABAAAAgB2W0YM4vO\n"
    "wxTQ+VkYElVpv/BdVrFf8YeWNoTtzLsT7AVKlzJQKq9CwLEKA+GEr0b9Q7L4SM9TucuYHI\n"
    "9UPq24xh+U9qeFWFMgbibhpnWcxSb2ZQyJn1yFeWkszqmrqjPyAk/6+GmRB6ar+x/VcPVj\n"
    "fTqCd+eplaXUxidlLiAf9RAAAAQE7W5/LWDFIwSClRL1gECFb7YflkiYBYKjqFNFrDw1Cf\n"
    "DGNg4YaVDYkT2KnrHoJ850v6jsa4RuMn1yqdkUDwhScAAABBAPfR9siHG7OwWlzx5Hv6Ii\n"
    "fHWbOnsgZgi2DijU86xITF4xFFuV04b2GsXstKxUleIrW+L5X54zB0IkcJRXdwO98AAABB\n"
    "AOamPku5HjmUjllimBaxWW9gsUXejGlVJ8yCvJTzaFhiRhhHzoaZZwaV2N7oLdqECKKv8V\n"
    "5ltZSybAcOq3noMzkAAAABeAEC\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

static const char dsa_pem_text[] =
    "-----BEGIN DSA PRIVATE KEY-----\n"
    "MIIBuwIBAAKBgQD+XN3hrvOisrC9MpP7tQA5pYhuDwPgk0VS2f4SaaIh2rFXKVED\n"
    "ri2wwFMcwlcOpp6tHmIaBZkolIRd5PrZmyac7XHxYzMHVKO/d+TYsRpoPOTylQCA\n"
    "tuJs718uhFa0Uw0Ax2pO3YYEc+nfwWhUKJ0GB+hT/ufK6OW5FOFTyhL13wIVAP+T\n"
    "8l5qb4SakXEgjEpPRlV8meanAoGAIKpq1D1Y2rdGemxdASX/wYe391Z7hHXGRsN3\n"
    "vzV4FWSt+WEXjY1D7ax743eHFrX5IQedpDI4X0Tu652DDH9vJNcFA20eYw4OBv4r\n"
    "TOKJajpn1LSZuG/svDgx5RjoPj1FFBfOnXjNrlwLsas085XBYFpfqmqDK/+1D6RB\n"
    "Mi5PYpICgYAcFTNIsnLPmSWCY77dRb8bb/giD9IWGKVe56PBTzx6zhl+Y3lbZUCI\n"
    "lbTZ5ZiW7UR41284dTBst9wA/MICp9+sqTcVJ3tMsp27cDtYA2HQk7ZJTdND/SB1\n"
    "BcT+GiAB++VgKBmyzR8Mq+44UhO57blBse9P6ly69WN2KCL8eQeTJQIVANNrvtXe\n"
    "Bwoyuomn0q1tib8cnnoq\n"
    "-----END DSA PRIVATE KEY-----\n";

static const char k256_text[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHQCAQEEIJyNdjRg9qOYqZWfpVYCMPzHV2JfqeBYppRYN+BclVbHoAcGBSuBBAAK\n"
    "oUQDQgAEjO1ThSOenvyqbiSnmcolS9WY9gChnnwAZm9hxxCCvucJ8AyTdtr2Jl6o\n"
    "v4YfkBxzwlEC4dqp5UtAfrcLvvH8vQ==\n"
    "-----END EC PRIVATE KEY-----\n";
/* ssh-keygen -t ed25519 -a 1 -Z CIPHER -N secret: beside each, its public half. */
static const struct {
    const char *cipher;
    const char *text;
    const char *public_line;
} encrypted[] = {
    {"aes256-ctr",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDQRxpE0+\n"
     "BeA+U3lyFytuskAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIPmcxJSN1OuusHxK\n"
     "VphYH8WKt0PJIg7fgEiqhvtn6HEjAAAAoEgnnQtmefWpxsOh+IJnjF7oW/YKHCbCFB8aVN\n"
     "BM+kKH44cua38u6pO36eWih542zgOQCcJzUFvrbemSNjBN4imWOsiaX7nF9C7JGiNxCwoG\n"
     "qfISl3fzl6A6RAnEIojL3yQp3OIjaZsMfnZFbP8R34sLcOqiKrMyBtN60o7eQpvbDGeID1\n"
     "Qi1wRGgISTQIUvgwQWYj2Jo8sTl4qWmVwHouc=\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPmcxJSN1OuusHxKVphYH8WKt0PJIg7fgEiqhvtn6HEj fixture aes256-ctr"},
    {"aes192-cbc",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAACmFlczE5Mi1jYmMAAAAGYmNyeXB0AAAAGAAAABAFyJ9WIW\n"
     "6LOmc+jweaG0ULAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIENX/LjtAFfoIvEz\n"
     "IPS3/K1olPEuQ9091JUv2R8vv5QxAAAAoP16boiQyLre0IIXjVdwTRJoR7nAKSnXRx35+R\n"
     "grRmgYZOdg+aT+oitHWJqNAyigB6Tiqskk/eXWRrFpTmT1ppBWTtZkxKyNzIcrx4nTXe1t\n"
     "G+ZM4PKhPYiyM8QAdgFNk4gBYSwcLcWBBoq5pzVAqiPGxWHnsW5lKhqzA50AxWYLlxHRFA\n"
     "QraidGgqq8x2RO+ZaP8BUWGS6IKhoZrmVk0GA=\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIENX/LjtAFfoIvEzIPS3/K1olPEuQ9091JUv2R8vv5Qx fixture aes192-cbc"},
    {"aes256-gcm@openssh.com",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAAFmFlczI1Ni1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA\n"
     "AAGAAAABB8kmZCqfmt/uGZ1LpfYmPSAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA\n"
     "IOizdjgnCcwGlPLCOzNGcX00G6mtT1CWYLmpxLHpHA//AAAAsA/3U2tToeCF1hxCosXlhl\n"
     "iCl9F1oi853Zp8UyETSBktqBuBjKzGrwxOXLOmcLPCR16mzvvDYJ6n0hIXx+jFV/cKlLnk\n"
     "aqueES7pZsd/j+IKW7x1BoziCGtR3NZBiEtKHfI2PKC4yUYxDHhmHijP5P2ryTBRIrmEXh\n"
     "PuC8kNJbqE4jp++KUGkLrpS+n0Vg8dAYgBLTLueakGz8JTINIVGTqmBCVSj8C21AVIL9b0\n"
     "caQO2L33uexfT/SqmRbBZLNtbQ==\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOizdjgnCcwGlPLCOzNGcX00G6mtT1CWYLmpxLHpHA// fixture aes256-gcm@openssh.com"},
    {"chacha20-poly1305@openssh.com",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAAHWNoYWNoYTIwLXBvbHkxMzA1QG9wZW5zc2guY29tAAAABm\n"
     "JjcnlwdAAAABgAAAAQ3vnF7WcXx8ORHDUXDz6u2gAAAAEAAAABAAAAMwAAAAtzc2gtZWQy\n"
     "NTUxOQAAACCEdZ5AIEVIdDmn+nb44JBVHkZEd/EuPdNvWO3/facqZQAAAKhwnLa23tpCeU\n"
     "DSkzjMm6TQAVkh1ZbBelyjhLjGBQktbiKAR6TnBO7KjRF6Ij8UvMAJCoCG+v7k/OhZo14a\n"
     "j9vfyxSktd81qGRL1p94L9OfpifGLcVPiD89vUBW9+6P3bmKFuFOeH5bsghDTkxl1x3gC3\n"
     "WOyGyIQl0eWGliBgQ/micuxihe+/+tAVLvsC0Ma1xl+Fl4Alau5lH+d3VVfowVigxe5X+R\n"
     "7ZLY/4jonzjwDAgITjZMjOEP\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIR1nkAgRUh0Oaf6dvjgkFUeRkR38S49029Y7f99pypl fixture chacha20-poly1305@openssh.com"},
    {"aes128-cbc",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAACmFlczEyOC1jYmMAAAAGYmNyeXB0AAAAGAAAABDJju3x1g\n"
     "aISUg7nM4Eba+XAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIDe3PL3dE47vrPDU\n"
     "fLEO8QUPQYPff2iA4qGCsTAxB7goAAAAoM+dXsLOSaL6JZwuci67p6qK1jaaGc252QweRk\n"
     "1rpgSm6aJJIeSJa9vNr0joUbqDviUkERokbf+x/ES28gkge946TQL0uYHNikh9KV1xXYS9\n"
     "w0l6vesZOaJ3Z3dLElJebpW+9P0nM+1AIbl5+6773s8G54WoUo2wCc3yfp77gCoCA68meV\n"
     "d4pM09ZjuXyJXNxlpzRYnli/j6A2dfQ1AHij0=\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDe3PL3dE47vrPDUfLEO8QUPQYPff2iA4qGCsTAxB7go fixture aes128-cbc"},
    {"aes256-cbc",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jYmMAAAAGYmNyeXB0AAAAGAAAABALz/vyAa\n"
     "2Uej5TPm6gdnIPAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIKnk7cSqrqAtriWI\n"
     "RIxTFyrXXylwEcaUn6RYgjuzJj4SAAAAoMFigRfrYDGuPodSSQBGoKowKQe+BjM+FDiD4s\n"
     "XFlPMd9s9n/UHagvgfqFeY+MrgjPyX5smeKUgHeTNOOb1Op44SF4flu800FxyVqH9WK4GF\n"
     "asS2IWiL5WbdS6u39HJh6lnWsg2Foj42okeq5pPfhV77fEgna0QRftpKXVaovWYbM6eKZK\n"
     "afb+ykS9Np6icnef84kfw7m3UmIKP0Gjx/BC8=\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnk7cSqrqAtriWIRIxTFyrXXylwEcaUn6RYgjuzJj4S fixture aes256-cbc"},
    {"aes128-gcm@openssh.com",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAAFmFlczEyOC1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA\n"
     "AAGAAAABAS2bqCItFR8wEcPy6gEmxSAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA\n"
     "IEy/EpLSVLO0el7RbIM4QSEk+iLL2k2ssFameYP8mRQzAAAAsPyGKPOdjoimYenomNcm2u\n"
     "0Xm5FTrgzbznqSIyotBrTlqQm62GNXx9jdFtqkHnv4gi08aIognEoMJW70px3Safd8r7SC\n"
     "OUyI8HxHlhBlJi+cJc3yF2phjjr5Z301tmhXlPaHUgc8CRloOMuhD62vtPqAJmgPBxtwWQ\n"
     "rNLTPd+lg7boLWABNFkjWq+JUGd1DqjY42g/vRL4EwBXbibg1RQHNvP9DQmWjyM/gIaU1J\n"
     "nKBwSwKgjRZt2FQ/i1DpgyPeSg==\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEy/EpLSVLO0el7RbIM4QSEk+iLL2k2ssFameYP8mRQz fixture aes128-gcm@openssh.com"},
};
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

static enum err parse_err(const struct crypto *c, struct slice text)
{
    struct privkey *k = NULL;
    char *comment = NULL;
    enum err err = keyfile_parse(&k, &comment, c, text, SLICE_NONE);
    assert_true((err == OK) == (k != NULL) && (err == OK) == (comment != NULL));
    privkey_free(k);
    mem_free(comment);
    return err;
}

static void assert_signs(const struct privkey *k)
{
    for (size_t i = 0; algo_sign_at(i) && algo_sign_at(i)->kind <= KEY_RSA; i++) {
        const struct algo_sign *algo = algo_sign_at(i);
        struct buf signature;
        if (algo->kind != pubkey_kind(privkey_pubkey(k)))
            continue;
        buf_init(&signature, 5000);
        assert_ok(privkey_sign(k, algo, slice_text("data"), &signature));
        assert_ok(
            pubkey_verify(privkey_pubkey(k), algo, buf_slice(&signature), slice_text("data")));
        buf_done(&signature);
    }
}

/* Fingerprints and comments as ssh-keygen -l prints them. */
static const struct fixture {
    const char *text;
    const char *fingerprint;
    const char *comment;
    bool is_openssh;
} fixtures[] = {
    {ed25519_text, "SHA256:MSCyq5SDLpw7rmGINaov4LpFQD8z6rw50DNWbfAAKCc", "fixture ed25519", true},
    {ecdsa256_text, "SHA256:XEoVZ16fBl2PfC3bFMlfkyOshkPsi59aXu/Morg9VDY", "fixture ecdsa 256",
     true},
    {ecdsa384_text, "SHA256:IgimEesDG4gA/ExZIzn8cK69nXV3/IxC74tQcEPodn4", "fixture ecdsa 384",
     true},
    {ecdsa521_text, "SHA256:KDMGwgQMj+9Ma8coPdAc7YwMCxnWT96WQEDA8ZMWZBY", "fixture ecdsa 521",
     true},
    {rsa_text, "SHA256:CthcOYGkv5D56zJaeTGK6KRDWaLLMlHAXnG0NblK5WM", "fixture rsa", true},
    {rsa_pem_text, "SHA256:TpGVu4cy5Hatt80fKY+JgcgCG5Lucv6LRMzoc1c3uQU", "", false},
    {rsa_pkcs8_text, "SHA256:Ty+iZna1NNO8tGUSU6ovlfc3Covrt2GjJ6jQpaJZI9o", "", false},
    {ecdsa_sec1_text, "SHA256:2+/Xp3p4u4gleQGzdKARI3hEn8xfNBYE7YWpvpUF6m0", "", false},
    {ecdsa_pkcs8_text, "SHA256:WxJb9BcIaaG0T9ZqGT6u1yibH8n4xSfrwNQ68/PK81U", "", false},
    /* The same key as ecdsa_sec1_text, its point compressed in the file. */
    {ecdsa_compressed_text, "SHA256:2+/Xp3p4u4gleQGzdKARI3hEn8xfNBYE7YWpvpUF6m0", "", false},
    {ed25519_pkcs8_text, "SHA256:fj5QekxyMrRGLUPMk8NmX7w3J7g2YDBtwIad4c3/2TQ", "", false},
};

static void assert_fingerprint(const struct crypto *c, const struct pubkey *k, const char *want)
{
    char *got = fingerprint_sha256(c, pubkey_blob(k));
    assert_string_equal(got, want);
    mem_free(got);
}

static void files_of_real_programs_are_read(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct privkey *k;
        char *comment;
        assert_ok(keyfile_parse(&k, &comment, *state, slice_text(f->text), SLICE_NONE));
        assert_string_equal(comment, f->comment);
        assert_fingerprint(*state, privkey_pubkey(k), f->fingerprint);
        assert_signs(k);
        mem_free(comment);
        privkey_free(k);
        assert_ok(keyfile_parse(&k, NULL, *state, slice_text(f->text), SLICE_NONE));
        privkey_free(k);
        struct pubkey *p = NULL;
        assert_int_equal(keyfile_public(&p, *state, slice_text(f->text)),
                         f->is_openssh ? OK : ERR_FORMAT);
        if (f->is_openssh)
            assert_fingerprint(*state, p, f->fingerprint);
        pubkey_free(p);
    }
}

static void what_is_written_is_read_again(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(fixtures); i++) {
        /* Comments of all lengths modulo the padding, none among them. */
        static const char *const comments[] = {NULL,    "a",      "ab",      "abc",     "abcd",
                                               "abcde", "abcdef", "abcdefg", "abcdefgh"};
        struct privkey *k;
        assert_ok(keyfile_parse(&k, NULL, *state, slice_text(fixtures[i].text), SLICE_NONE));
        for (size_t j = 0; j < ARRAY_LEN(comments); j++) {
            struct buf text;
            struct privkey *again;
            char *comment;
            buf_init_secret(&text, 65536);
            assert_ok(keyfile_write(k, comments[j], &text));
            assert_ok(keyfile_parse(&again, &comment, *state, buf_slice(&text), SLICE_NONE));
            assert_string_equal(comment, comments[j] ? comments[j] : "");
            assert_fingerprint(*state, privkey_pubkey(again), fixtures[i].fingerprint);
            assert_signs(again);
            mem_free(comment);
            privkey_free(again);
            buf_done(&text);
        }
        struct buf little;
        buf_init_secret(&little, 100);
        assert_int_equal(keyfile_write(k, "", &little), ERR_LIMIT);
        buf_done(&little);
        privkey_free(k);
    }
}

static void encrypted_keys_are_denied_without_asking(void **state)
{
    static const char *const texts[] = {ed25519_encrypted_text, rsa_pem_encrypted_text,
                                        rsa_pkcs8_encrypted_text};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(parse_err(*state, slice_text(texts[i])), ERR_DENIED);
    struct pubkey *p;
    assert_ok(keyfile_public(&p, *state, slice_text(ed25519_encrypted_text)));
    assert_fingerprint(*state, p, "SHA256:+aWoXE7vQxOUQ/NnkcLBo64ZeGLO230t/UvczYOf7xI");
    pubkey_free(p);
}

static enum err parse_with(struct privkey **k, char **comment, const struct crypto *c,
                           struct slice text, const char *passphrase)
{
    *k = NULL;
    return keyfile_parse(k, comment, c, text, slice_text(passphrase));
}

static void every_cipher_of_ssh_keygen_is_read_with_the_passphrase(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(encrypted); i++) {
        struct slice text = slice_text(encrypted[i].text);
        struct slice type, remark;
        struct privkey *k;
        struct buf blob;
        char *comment;
        buf_init(&blob, PUBKEY_BLOB_MAX);
        assert_ok(pubkey_line_parse(slice_text(encrypted[i].public_line), &type, &blob, &remark));
        assert_int_equal(parse_err(*state, text), ERR_DENIED);
        assert_int_equal(parse_with(&k, NULL, *state, text, ""), ERR_CRYPTO);
        assert_int_equal(parse_with(&k, NULL, *state, text, "secre"), ERR_CRYPTO);
        assert_int_equal(parse_with(&k, NULL, *state, text, "Secret"), ERR_CRYPTO);
        assert_ok(parse_with(&k, &comment, *state, text, "secret"));
        assert_true(slice_equal(pubkey_blob(privkey_pubkey(k)), buf_slice(&blob)));
        assert_true(slice_is(remark, comment));
        assert_signs(k);
        privkey_free(k);
        mem_free(comment);
        buf_done(&blob);
    }
}

/* One key, in the forms that openssl writes. */
static const char *const other_ciphers[] = {
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: DES-EDE3-CBC,42C737F48D11785F\n"
    "\n"
    "z8TbA2TVTBODFRcsDSsd0O2qQ2VOUsKZ8o3kvKvQVBgAdbcyO3OKtyBFhvQ4b9zO\n"
    "oPqiE5b0jv+1eUMALXo07toBCRZ2mBJmS2UoAwY9Z9ChfbqzzdkKW9CX81CtoN+G\n"
    "ja+U2aghlq3VWq41i+CSqI+OjaseUsytsvZxfVrd8QU=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-192-CBC,0DD961D5E68A3777386D10524A223E43\n"
    "\n"
    "wI9oPU79sS1CkYajbH+StfLrXNLrgmqSwevHi/93POwFsg9sEZ0I3qUqO0hiqqR7\n"
    "OC6YyEgehtxfhHa6nOaXxMRB15Q3TZOjmH3kUsfwCiOzqNoIub6rZC8SO+RaruUH\n"
    "rh+vevvUmMMR498r4zcvtdvEqrySCmD+Bjsd1QgVv1s=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-256-CBC,CCB60EB198CAF50EFFF7F4E76E912794\n"
    "\n"
    "PeDyAdL9YItQjeFcSqOVfhOpw/jj3NKqKZTW/K2mnPVRygK4LfWL7DE8++Eatgb6\n"
    "nOfJn47T/sLAQWNz2loZ5Bte/ZWISLrLfWT1e3yfw6zQwYAMU1hWurluujIBwt+8\n"
    "U5ZzvbtqvvHus6yEH95F83Jo+iS3pciOG7EpFrbTD5I=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: CAMELLIA-128-CBC,6F5566ABC8508B6AD15CBBDDAFAE779E\n"
    "\n"
    "Lot7jQ7KbM5HPAgsqBCm/boGKDuOCmMU+zzLFou86FEfUXTrU4RSI3/YoCHbi3PZ\n"
    "GtM54UVrdfD+kihxwhm2iaLJsEj2EfpSvWsU8g4bvmLp6Ei1Q+YacwLFBWhz5gwr\n"
    "jVzyLKinC8YUTB+HEKyuKELJyzSf7tvTTiOHu/eRDTY=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: CAMELLIA-256-CBC,67311E7A15989B5C7E1E4D5B3292E0B3\n"
    "\n"
    "WeJCDk58hxemjavEQ48J36fLIpcwx0Aa3yEIGcCpLCVD3er8suOZ/vPxPhOh+ssV\n"
    "LsgNb2WOFihIPoWbBIABIs9UYPtRZdT6pfHbHuQnYubQXv9e/jB0WnKwIg5waVL7\n"
    "2eA4DcHhbm0UlnvH6x2hkIHNGcN4m8ETqUX+ry4nFAs=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: ARIA-128-CBC,D853345122EA93963B0A64EBD05152B6\n"
    "\n"
    "qMCSYWh6PyqtMnB5DbW0GXBEyB2fLzcthXqYB0iNiY+vY3Kv84mqFICJugGnz3JD\n"
    "bMj8SOnmQcyGepT35vc92Fw5B92K9ITF+m/hWLO+iwuemTnLPwyR3UXYaj2jg1xO\n"
    "t6n131SXJP59+vcfTCAk5IXw5zMm8ey03t3ZxXRNnlQ=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: ARIA-256-CBC,12A0310DAE51842DAF2738C10DF40497\n"
    "\n"
    "jEhPAl1MbJ7T8Fe8YLjuJPOI/KX4OzJu1n7YbSh/14w4nWl4NBVHCAG3qBHtzi3P\n"
    "oOww4byIwX+ZdlgirkN9KfB1M7wgCpDiyun+/rldoy6+IU0McplzYQHNwCp4mEOJ\n"
    "R/+RWkZ4UDvk14myl6oz9ZMHufcZQ5ER/DqZgRA6MCs=\n"
    "-----END EC PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGxMBwGCiqGSIb3DQEMAQMwDgQIn5T6I4LGnSQCAggABIGQ4kchTWHNcRX+ON1C\n"
    "RsYugtD1WfqYlR06uzrSJGC20oDPE5dqzxhaGayGme0rhcHlCU0QE7DCxQBfhrlb\n"
    "udfhd6dvx6rO5yL+jBoT5smFeRNoIf1W82uvnkmreRY07zJVLRQtk5bA6G5ObtQC\n"
    "zXEpBt8rRxh4eoX7CoOwHvJdKQwRvn2DIXuDqk5NTvYFBI04\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHVMEAGCSqGSIb3DQEFDTAzMBsGCSqGSIb3DQEFDDAOBAiIY0iT2IuTCwICCAAw\n"
    "FAYIKoZIhvcNAwcECFwJRdv+YM6+BIGQ+A+Eza+TDwd2LhQcTXer7CIAsUPZv4Dr\n"
    "3mQ0FJbF52mbP/sKUbhwXNo+iYe8KaSDl1dB6V376LmWD7Kolf27DIonH08CP8QK\n"
    "Ebfgpy/zebKI0C7zNkqfn7vPUxmEDM2NFPuZOTr6/5L21gO3clupheb9hdm9RqM/\n"
    "Gew6CiVEZjpEbtpiU6hjrs/jBNqHyX9z\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHuMFkGCSqGSIb3DQEFDTBMMCkGCSqGSIb3DQEFDDAcBAjjbtFw4i2gLQICCAAw\n"
    "DAYIKoZIhvcNAgsFADAfBgsqgwiMmks9AQEBBAQQ8pY2dmSvO7VvBsjUHzooywSB\n"
    "kPaj3sCfhsCI79UvVz8cSEhWmvf9TyuuzwQXn4IU4K2NDnPGlPfHJjO1U0YR5pHq\n"
    "E/W8+AZk8W+zQUnJk3jxV2rVB5MPxPUkYpqIZbqPY3oPi7bAaTlhBgQgsBzm0Oo9\n"
    "DkN1DZt68Oul/GwPDl6U8bwdMUtYk1pFW3Aq5Js3COqqSJcnKoX1XNFG6yoHso5H\n"
    "Tg==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
};

static void pem_and_pkcs8_are_read_with_the_passphrase(void **state)
{
    static const struct {
        const char *text;
        const char *right;
    } cases[] = {
        {rsa_pem_encrypted_text, "secret"},
        {rsa_pkcs8_encrypted_text, "secret"},
        {ed25519_encrypted_text, "secret"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice text = slice_text(cases[i].text);
        struct privkey *k;
        assert_ok(parse_with(&k, NULL, *state, text, cases[i].right));
        assert_signs(k);
        privkey_free(k);
        assert_int_equal(parse_with(&k, NULL, *state, text, "wrong"), ERR_CRYPTO);
        assert_int_equal(parse_with(&k, NULL, *state, text, ""), ERR_CRYPTO);
        char *endless CLEANUP(mem_cleanup) = mem_new(5001, 1);
        memset(endless, 'x', 5000);
        assert_int_equal(parse_with(&k, NULL, *state, text, endless), ERR_CRYPTO);
    }
}

static void pem_and_pkcs8_are_read_whatever_cipher_they_name(void **state)
{
    struct privkey *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(other_ciphers); i++) {
        struct slice text = slice_text(other_ciphers[i]);
        struct privkey *k;
        assert_ok(parse_with(&k, NULL, *state, text, "secret"));
        if (!first)
            assert_ok(parse_with(&first, NULL, *state, text, "secret"));
        assert_true(
            slice_equal(pubkey_blob(privkey_pubkey(k)), pubkey_blob(privkey_pubkey(first))));
        privkey_free(k);
        assert_int_equal(parse_with(&k, NULL, *state, text, "wrong"), ERR_CRYPTO);
    }
    privkey_free(first);
}

/* A byte of an encrypted file changed: another key never comes of it. */
static void a_touched_encrypted_file_is_never_another_key(void **state)
{
    for (size_t i = 0; i < 4; i++) {
        char *text = mem_strdup(encrypted[i].text);
        struct privkey *k, *other;
        assert_ok(parse_with(&k, NULL, *state, slice_text(text), "secret"));
        for (size_t at = 36; at + 36 < strlen(text); at += 13) {
            char kept = text[at];
            if (kept == '\n')
                continue;
            text[at] = kept == 'B' ? 'C' : 'B';
            enum err err = parse_with(&other, NULL, *state, slice_text(text), "secret");
            if (err == OK)
                assert_true(slice_equal(pubkey_blob(privkey_pubkey(other)),
                                        pubkey_blob(privkey_pubkey(k))));
            privkey_free(other);
            text[at] = kept;
        }
        for (size_t n = 0; n + 36 < strlen(text); n += 7)
            assert_int_equal(parse_with(&other, NULL, *state, slice_of(text, n), "secret"),
                             ERR_FORMAT);
        privkey_free(k);
        mem_free(text);
    }
}

static void keys_that_are_not_built_are_named_so(void **state)
{
    assert_int_equal(parse_err(*state, slice_text(rsa1024_text)), ERR_LIMIT);
    assert_int_equal(parse_err(*state, slice_text(dsa_pem_text)), ERR_UNSUPPORTED);
    assert_int_equal(parse_err(*state, slice_text(k256_text)), ERR_UNSUPPORTED);
}

static void text_cut_anywhere_is_no_key(void **state)
{
    static const char *const texts[] = {ed25519_text, ecdsa521_text, ecdsa_sec1_text,
                                        ed25519_pkcs8_text};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        /* The last byte is the newline behind the end line. */
        size_t length = strlen(texts[i]) - 1;
        for (size_t n = 0; n < length; n++) {
            uint8_t *cut = mem_new(n, 1);
            struct pubkey *p;
            memcpy(cut, texts[i], n);
            assert_int_equal(parse_err(*state, slice_of(cut, n)), ERR_FORMAT);
            assert_int_equal(keyfile_public(&p, *state, slice_of(cut, n)), ERR_FORMAT);
            mem_free(cut);
        }
        assert_ok(parse_err(*state, slice_of(texts[i], length)));
    }
    static const char *const others[] = {"", "\n", "ssh-ed25519 AAAA", "-----BEGIN", "\x30\x82"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(parse_err(*state, slice_text(others[i])), ERR_FORMAT);
    static uint8_t big[65537];
    assert_int_equal(parse_err(*state, slice_of(big, sizeof(big))), ERR_LIMIT);
}

/*
 * A file made by hand, for files that no program writes. The defaults make a good one of RFC 8032
 * 7.1 test 1.
 */
struct forged {
    const char *magic;
    const char *cipher;
    const char *kdf;
    const char *kdf_options;
    uint32_t keys;
    const char *outer_public;
    const char *inner_public;
    const char *tail_public; /* the second half of the private string */
    const char *seed;
    const char *type;
    uint32_t check[2];
    const char *padding;
};

static const char rfc8032_seed[] =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char rfc8032_public[] =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
static const char other_seed[] = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";
static const char other_public[] =
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";

static const struct forged good = {
    .magic = "openssh-key-v1",
    .cipher = "none",
    .kdf = "none",
    .kdf_options = "",
    .keys = 1,
    .outer_public = rfc8032_public,
    .inner_public = rfc8032_public,
    .tail_public = rfc8032_public,
    .seed = rfc8032_seed,
    .type = "ssh-ed25519",
    .check = {7, 7},
    .padding = "\x01\x02\x03\x04\x05",
};

static void hex_write(struct writer *w, const char *hex)
{
    uint8_t bytes[64];
    writer_bytes(w, slice_of(bytes, hex_decode(hex, bytes)));
}

static void forged_write(const struct forged *f, struct buf *bytes)
{
    struct writer w;
    writer_init(&w, bytes);
    writer_bytes(&w, slice_of(f->magic, strlen(f->magic) + 1));
    writer_text(&w, f->cipher);
    writer_text(&w, f->kdf);
    writer_text(&w, f->kdf_options);
    writer_u32(&w, f->keys);
    size_t blob = writer_open(&w);
    writer_text(&w, "ssh-ed25519");
    writer_u32(&w, 32);
    hex_write(&w, f->outer_public);
    writer_close(&w, blob);
    size_t section = writer_open(&w);
    writer_u32(&w, f->check[0]);
    writer_u32(&w, f->check[1]);
    writer_text(&w, f->type);
    writer_u32(&w, 32);
    hex_write(&w, f->inner_public);
    writer_u32(&w, 64);
    hex_write(&w, f->seed);
    hex_write(&w, f->tail_public);
    writer_text(&w, "");
    writer_bytes(&w, slice_text(f->padding));
    writer_close(&w, section);
    assert_ok(writer_done(&w));
}

static void forged_text(const struct forged *f, struct buf *text)
{
    struct buf bytes;
    buf_init(&bytes, 4096);
    forged_write(f, &bytes);
    char *base64 = base64_encode(buf_slice(&bytes), true);
    buf_init(text, 8192);
    assert_ok(buf_append_slice(text, slice_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")));
    assert_ok(buf_append_slice(text, slice_text(base64)));
    assert_ok(buf_append_slice(text, slice_text("\n-----END OPENSSH PRIVATE KEY-----\n")));
    mem_free(base64);
    buf_done(&bytes);
}

static enum err forged_err(const struct crypto *c, struct forged f)
{
    struct buf text;
    forged_text(&f, &text);
    enum err err = parse_err(c, buf_slice(&text));
    buf_done(&text);
    return err;
}

static void ed25519_signs_as_rfc_8032_does(void **state)
{
    uint8_t want[64];
    struct buf text;
    struct buf signature;
    struct privkey *k;
    struct reader r;
    forged_text(&good, &text);
    assert_ok(keyfile_parse(&k, NULL, *state, buf_slice(&text), SLICE_NONE));
    buf_init(&signature, 200);
    assert_ok(privkey_sign(k, algo_sign_at(0), SLICE_NONE, &signature));
    reader_init(&r, buf_slice(&signature));
    assert_true(slice_is(reader_string(&r), "ssh-ed25519"));
    hex_decode("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
               "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
               want);
    assert_true(slice_equal(reader_string(&r), slice_of(want, 64)));
    assert_ok(reader_done(&r));
    buf_done(&signature);
    buf_done(&text);
    privkey_free(k);
}

/* The good file with one thing changed. */
#define CHANGED(want, change)                                                                      \
    do {                                                                                           \
        struct forged f_ = good;                                                                   \
        f_.change;                                                                                 \
        assert_int_equal(forged_err(*state, f_), want);                                            \
    } while (0)

static void halves_that_do_not_belong_together_are_refused(void **state)
{
    assert_ok(forged_err(*state, good));
    CHANGED(ERR_CRYPTO, outer_public = other_public);
    CHANGED(ERR_CRYPTO, inner_public = other_public);
    CHANGED(ERR_CRYPTO, tail_public = other_public);
    CHANGED(ERR_CRYPTO, seed = other_seed);
    struct forged f = good;
    f.outer_public = f.inner_public = f.tail_public = other_public;
    assert_int_equal(forged_err(*state, f), ERR_CRYPTO);
    f.outer_public = rfc8032_public;
    assert_int_equal(forged_err(*state, f), ERR_CRYPTO);
}

static void envelopes_that_break_the_format_are_refused(void **state)
{
    CHANGED(ERR_FORMAT, magic = "openssh-key-v2");
    CHANGED(ERR_FORMAT, keys = 0);
    CHANGED(ERR_FORMAT, keys = 2);
    CHANGED(ERR_FORMAT, keys = UINT32_MAX);
    CHANGED(ERR_FORMAT, kdf = "bcrypt");
    CHANGED(ERR_FORMAT, kdf_options = "x");
    CHANGED(ERR_FORMAT, cipher = "aes256-ctr");
    CHANGED(ERR_FORMAT, check[1] = 8);
    CHANGED(ERR_FORMAT, padding = "");
    CHANGED(ERR_FORMAT, padding = "\x01\x02\x03\x04\x06");
    CHANGED(ERR_FORMAT, padding = "\x01\x02\x03\x04");
    CHANGED(ERR_FORMAT, padding = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d");
    CHANGED(ERR_UNSUPPORTED, type = "ssh-ed25518");
    struct forged f = good;
    f.cipher = "aes256-ctr";
    f.kdf = "bcrypt";
    assert_int_equal(forged_err(*state, f), ERR_DENIED);
    f.kdf = "scrypt";
    assert_int_equal(forged_err(*state, f), ERR_UNSUPPORTED);
    f.kdf = "bcrypt";
    f.cipher = "3des-cbc";
    assert_int_equal(forged_err(*state, f), ERR_UNSUPPORTED);
}

/* The private section of a fixture, one byte at a time: never another key, never a crash. */
static void a_touched_private_half_is_never_another_key(void **state)
{
    static const char *const texts[] = {ed25519_text, ecdsa256_text, ecdsa384_text, ecdsa521_text,
                                        rsa_text};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct privkey *k;
        struct buf text;
        assert_ok(keyfile_parse(&k, NULL, *state, slice_text(texts[i]), SLICE_NONE));
        buf_init_secret(&text, 65536);
        assert_ok(keyfile_write(k, "", &text));
        struct slice blob = pubkey_blob(privkey_pubkey(k));
        /* Steps for the long one keep this fast; 7 is coprime to the line's 71 bytes. */
        size_t step = i == 4 ? 7 : 1;
        for (size_t at = 36; at < buf_len(&text) - 36; at += step) {
            struct privkey *other;
            uint8_t kept = text.data[at];
            if (kept == '\n')
                continue;
            text.data[at] = kept == 'B' ? 'C' : 'B';
            if (keyfile_parse(&other, NULL, *state, buf_slice(&text), SLICE_NONE) == OK) {
                assert_true(slice_equal(pubkey_blob(privkey_pubkey(other)), blob));
                privkey_free(other);
            }
            text.data[at] = kept;
        }
        buf_done(&text);
        privkey_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_real_programs_are_read),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(encrypted_keys_are_denied_without_asking),
        cmocka_unit_test(every_cipher_of_ssh_keygen_is_read_with_the_passphrase),
        cmocka_unit_test(pem_and_pkcs8_are_read_with_the_passphrase),
        cmocka_unit_test(pem_and_pkcs8_are_read_whatever_cipher_they_name),
        cmocka_unit_test(a_touched_encrypted_file_is_never_another_key),
        cmocka_unit_test(keys_that_are_not_built_are_named_so),
        cmocka_unit_test(text_cut_anywhere_is_no_key),
        cmocka_unit_test(ed25519_signs_as_rfc_8032_does),
        cmocka_unit_test(halves_that_do_not_belong_together_are_refused),
        cmocka_unit_test(envelopes_that_break_the_format_are_refused),
        cmocka_unit_test(a_touched_private_half_is_never_another_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
