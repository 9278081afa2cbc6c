#pragma once
// Coefficients of the functions in special.cpp and gamma.cpp, constant term first, for float32 and for float64.
//
//   kSinh: sinh(x) = x + x^3 (c0 + c1 x^2 + ...)
//
// Fitted as those in codegen/exp_log.cpp. The relative error that is said is the function's, before any rounding but the coefficients'.
#include "codegen/float_format.hpp"

namespace tg::special {

// e^x = 1 + x + x^2 (c0 + c1 x + ...), |x| to log(2) / 2. Relative error 2^-31.0, 2^-61.5.
inline constexpr double kExpm1Narrow[] = {0x1p-1, 0x1.555554p-3, 0x1.5554fp-5, 0x1.111306p-7, 0x1.6d435cp-10, 0x1.9e0c22p-13};
inline constexpr double kExpm1Wide[] = {0x1p-1, 0x1.5555555555559p-3, 0x1.555555555554dp-5, 0x1.111111110f65bp-7, 0x1.6c16c16c1aac9p-10,
    0x1.a01a01afff7dcp-13, 0x1.a01a018e21ad9p-16, 0x1.71ddf81ca4b74p-19, 0x1.27e513179cacp-22, 0x1.af5f1062e1859p-26,
    0x1.1f1a5cfd7ccd5p-29};
inline constexpr codegen::Polynomial kExpm1{kExpm1Narrow, kExpm1Wide};

// sinh(x) = x + x^3 (c0 + c1 x^2 + ...), |x| to 1. Relative error 2^-31.4, 2^-62.6.
inline constexpr double kSinhNarrow[] = {0x1.555556p-3, 0x1.1110eap-7, 0x1.a01c2p-13, 0x1.7677a8p-19};
inline constexpr double kSinhWide[] = {0x1.5555555555555p-3, 0x1.111111111117ep-7, 0x1.a01a01a00d53dp-13, 0x1.71de3a61189e3p-19,
    0x1.ae644ab2c6af5p-26, 0x1.612b0dae491d6p-33, 0x1.aa876d6f36a96p-41, 0x1.46f6d539fe3c4p-48};
inline constexpr codegen::Polynomial kSinh{kSinhNarrow, kSinhWide};

// tanh(x), alike, |x| to 5/8. Relative error 2^-27.7, 2^-61.2.
inline constexpr double kTanhNarrow[] = {-0x1.555532p-2, 0x1.110702p-3, -0x1.b83846p-5, 0x1.520f5ap-6, -0x1.75853cp-8};
inline constexpr double kTanhWide[] = {-0x1.5555555555552p-2, 0x1.1111111110c56p-3, -0x1.ba1ba1b9d1d9ap-5, 0x1.664f4870d19ffp-6,
    -0x1.226e32d1504acp-7, 0x1.d6d35a786937bp-9, -0x1.7d9c36189d3fap-10, 0x1.350b9fd616ca8p-11, -0x1.f1144dd2ca358p-13,
    0x1.801ee161c5d6fp-14, -0x1.fad26962dd18bp-16, 0x1.961b077e5641p-18};
inline constexpr codegen::Polynomial kTanh{kTanhNarrow, kTanhWide};

// asin(x), alike, |x| to 0.6. Relative error 2^-27.4, 2^-61.0.
inline constexpr double kAsinNarrow[] = {0x1.5554d8p-3, 0x1.3365c6p-4, 0x1.66fd04p-5, 0x1.2c8324p-5, -0x1.21741ep-10, 0x1.cac974p-5};
inline constexpr double kAsinWide[] = {0x1.5555555555546p-3, 0x1.333333333593bp-4, 0x1.6db6db6ba4661p-5, 0x1.f1c71d5c8cf31p-6,
    0x1.6e8b83eaa636fp-6, 0x1.1c51707817a2dp-6, 0x1.c9485dc67f59ap-7, 0x1.7dfa432f05602p-7, 0x1.2484d93aa9631p-7, 0x1.b3054ab7f0f3cp-7,
    -0x1.c4e1bb1d44f8fp-7, 0x1.2ca3d0d7c8f12p-4, -0x1.2b218b47e4023p-3, 0x1.ec66681bd610ap-3, -0x1.c766d69845dafp-3,
    0x1.c9fef4e4aa533p-4};
inline constexpr codegen::Polynomial kAsin{kAsinNarrow, kAsinWide};

// atan(x), alike, |x| to 1. Relative error 2^-31.0, 2^-62.8.
inline constexpr double kAtanNarrow[] = {-0x1.555552p-2, 0x1.99981ep-3, -0x1.247646p-3, 0x1.c513acp-4, -0x1.695ca4p-4, 0x1.151edep-4,
    -0x1.70bc34p-5, 0x1.7595bep-6, -0x1.e75faep-8, 0x1.2a0066p-10};
inline constexpr double kAtanWide[] = {-0x1.5555555555554p-2, 0x1.9999999999732p-3, -0x1.2492492486531p-3, 0x1.c71c71c3553ep-4,
    -0x1.745d16e9b59bdp-4, 0x1.3b13ab6659998p-4, -0x1.1110ce2fbf232p-4, 0x1.e1dd73f626676p-5, -0x1.af0bc85e8793ap-5, 0x1.8587c944a36fp-5,
    -0x1.61e7ec9f6cb3fp-5, 0x1.4054e7a89df54p-5, -0x1.1bf5f95721deep-5, 0x1.dff99b2d36249p-6, -0x1.75735b6e353bfp-6, 0x1.0133494d73429p-6,
    -0x1.2cf7ad7536d1p-7, 0x1.1e5f8929ea703p-8, -0x1.a4d45cca79a45p-10, 0x1.bc95a30e399f6p-12, -0x1.2ae51e3ae0353p-14,
    0x1.7ec99e10cae57p-18};
inline constexpr codegen::Polynomial kAtan{kAtanNarrow, kAtanWide};

// asinh(x), alike, |x| to 3/4. Relative error 2^-33.8, 2^-63.9.
inline constexpr double kAsinhNarrow[] = {-0x1.555554p-3, 0x1.333286p-4, -0x1.6d99bep-5, 0x1.ef6a98p-6, -0x1.60c528p-6, 0x1.d74c54p-7,
    -0x1.e204cp-8, 0x1.021714p-9};
inline constexpr double kAsinhWide[] = {-0x1.5555555555554p-3, 0x1.3333333333095p-4, -0x1.6db6db6d9aa99p-5, 0x1.f1c71c68347cap-6,
    -0x1.6e8ba1f03b62fp-6, 0x1.1c4eb46036cb1p-6, -0x1.c998105cae5p-7, 0x1.7a7a4a3be44eap-7, -0x1.3f893e47cc01ap-7, 0x1.114fdf20ef3b5p-7,
    -0x1.d30966c40b2dfp-8, 0x1.82eae09f279b1p-8, -0x1.26e8380ed8579p-8, 0x1.7f4ec06d39788p-9, -0x1.8015979b6afc2p-10,
    0x1.000b105225f91p-11, -0x1.4da1ba58a3878p-14};
inline constexpr codegen::Polynomial kAsinh{kAsinhNarrow, kAsinhWide};

// atanh(x), alike, |x| to 1/2. Relative error 2^-29.4, 2^-57.0.
inline constexpr double kAtanhNarrow[] = {0x1.55553ep-2, 0x1.99a72cp-3, 0x1.23424ep-3, 0x1.e4a31p-4, 0x1.a272c2p-5, 0x1.6a9774p-3};
inline constexpr double kAtanhWide[] = {0x1.55555555555ccp-2, 0x1.99999999878e1p-3, 0x1.2492492c3ec6bp-3, 0x1.c71c6e7ec6d7bp-4,
    0x1.745d81090a94cp-4, 0x1.3b0b2aeefa1aep-4, 0x1.118751f8c8dcbp-4, 0x1.d909f4367e1p-5, 0x1.ea135acec5203p-5, 0x1.dd50df48a6effp-7,
    0x1.28cd51b5846eap-3, -0x1.391c918dd1acp-3, 0x1.cc5496b7d25dcp-3};
inline constexpr codegen::Polynomial kAtanh{kAtanhNarrow, kAtanhWide};

// atanh(x), alike, |x| to (sqrt(2) - 1) / (sqrt(2) + 1). Relative error 2^-30.1, 2^-59.3.
inline constexpr double kAtanhNearNarrow[] = {0x1.55557cp-2, 0x1.995c9ep-3, 0x1.322272p-3};
inline constexpr double kAtanhNearWide[] = {0x1.555555555559cp-2, 0x1.999999997c718p-3, 0x1.2492494524d11p-3, 0x1.c71c4f4b26a53p-4,
    0x1.7466d5f7cb32bp-4, 0x1.3991d76d65c9ap-4, 0x1.2fabbea77d569p-4};
inline constexpr codegen::Polynomial kAtanhNear{kAtanhNearNarrow, kAtanhNearWide};

// acosh(1 + x) = sqrt(2 x) (1 + x (c0 + c1 x + ...)), x to 1/2. Relative error 2^-33.9, 2^-64.5.
inline constexpr double kAcoshNarrow[] = {-0x1.555554p-4, 0x1.33323cp-6, -0x1.6d7f2ap-8, 0x1.ec1a1ep-10, -0x1.489ee6p-11, 0x1.2fb0d4p-13};
inline constexpr double kAcoshWide[] = {-0x1.5555555555554p-4, 0x1.3333333333003p-6, -0x1.6db6db6d8b4bcp-8, 0x1.f1c71c5ed5a17p-10,
    -0x1.6e8ba0762be42p-11, 0x1.1c4e9093ad132p-12, -0x1.c993a706019f5p-14, 0x1.7a4af02427793p-15, -0x1.3e274366792ffp-16,
    0x1.0a10993cf9282p-17, -0x1.9e3f30ef994c5p-19, 0x1.00e1353e6cc1bp-20, -0x1.64eb41d965b4cp-23};
inline constexpr codegen::Polynomial kAcosh{kAcoshNarrow, kAcoshWide};

// erf(x) = x + x (c0 + c1 x^2 + ...), |x| to 1. Relative error 2^-29.3, 2^-56.3.
inline constexpr double kErf1Narrow[] = {0x1.06eba8p-3, -0x1.81273ep-2, 0x1.ce2cf2p-4, -0x1.b7f88cp-6, 0x1.54017p-8, -0x1.a3d7ecp-11,
    0x1.4916f2p-14};
inline constexpr double kErf1Wide[] = {0x1.06eba8214db69p-3, -0x1.812746b0379fdp-2, 0x1.ce2f21a04360fp-4, -0x1.b82ce312ab0f4p-6,
    0x1.565bcd126f014p-8, -0x1.c02db49290998p-11, 0x1.f9a3342fc8ec5p-14, -0x1.f4d31ec428321p-17, 0x1.b9ed837f78e1ep-20,
    -0x1.5f8eebc6dc319p-23, 0x1.fc1459e05f6cdp-27, -0x1.4541242238eb2p-30, 0x1.262a4cfb3db4ep-34};
inline constexpr codegen::Polynomial kErf1{kErf1Narrow, kErf1Wide};

// (1 + 2 x) exp(x^2) erfc(x) - 1 by powers of (x - k) / (x + k), k 2 in float32 and 4 in float64, x from 0 to where erfc is 0.
// Relative error 2^-27.2, 2^-54.6.
inline constexpr double kErfcNarrow[] = {0x1.1ba038p-2, -0x1.7bf5eap-4, -0x1.5407a8p-3, 0x1.4ff9fcp-3, -0x1.bc2ca4p-5, -0x1.072af6p-7,
    0x1.1db70cp-7, 0x1.4945c2p-10, -0x1.7912b2p-10, -0x1.ad8d72p-12, 0x1.7b0cap-13, 0x1.6c8a9cp-14};
inline constexpr double kErfcWide[] = {0x1.dd2c8b74febf8p-3, -0x1.1df1ad154a28ep-3, 0x1.f7f5df66fcaaap-7, 0x1.16ecefcfa5347p-4,
    -0x1.9ddb23c3e541ap-4, 0x1.7fee004e1351bp-4, -0x1.0fb06dfe8a712p-4, 0x1.3079edf65547dp-5, -0x1.0962387b62c4p-6, 0x1.49c672971ca74p-8,
    -0x1.8d4aa0e33ba6bp-11, -0x1.a1df340698bfap-13, 0x1.3be0a3134c9fbp-13, -0x1.99575986f8981p-16, -0x1.78936c498ff1ap-17,
    0x1.7f14b27a13861p-18, 0x1.3c33bdee6fb0ep-22, -0x1.ba13d49cf5fb4p-21, 0x1.41193c88d4adbp-24, 0x1.d2075fa5c48b8p-24,
    -0x1.3fa28268514d4p-26, -0x1.d54cd7f1c3476p-27, 0x1.3045a38fb93fbp-29, 0x1.6cc3512385c27p-30};
inline constexpr codegen::Polynomial kErfc{kErfcNarrow, kErfcWide};

// erfinv(x) / x by powers of w - 5/2, w = -log(1 - x^2) to 5; in float32 only. Relative error 2^-24.6.
inline constexpr double kErfinvNearNarrow[] = {0x1.805c5ep+0, 0x1.f91e8cp-3, -0x1.11c6d2p-8, -0x1.48673cp-10, 0x1.ca0a42p-13,
    -0x1.4c727p-18, -0x1.d2aab8p-19, 0x1.f26cc4p-22, 0x1.a0a6bep-26, -0x1.295168p-27};
inline constexpr codegen::Polynomial kErfinvNear{kErfinvNearNarrow, kErfinvNearNarrow};

// erfinv(x) / x by powers of sqrt(w) - 3, w from 5 to where x is 1. Relative error 2^-27.1, 2^-22.7: where more is asked, it is a start.
inline constexpr double kErfinvFarNarrow[] = {0x1.6a9efcp+1, 0x1.006dcap+0, 0x1.357e18p-7, -0x1.f4e3c4p-8, 0x1.74dfe8p-8, -0x1.d36f5cp-9,
    0x1.818b24p-10, -0x1.fc3b3ap-14, -0x1.1e79dp-12, 0x1.518a04p-13, -0x1.038722p-15};
inline constexpr double kErfinvFarWide[] = {0x1.6a9efe262111fp+1, 0x1.006df535b3776p+0, 0x1.3535159e5132bp-7, -0x1.f6aa1859bd333p-8,
    0x1.78c7c45669e15p-8, -0x1.cc3824cbe425dp-9, 0x1.59e762ff210e6p-10, -0x1.a5c3c12b72d61p-14, -0x1.467eaf70e7f7dp-13,
    0x1.3d39d9f1b2d15p-14, -0x1.f09ae8b68a46ap-17, 0x1.2970028c0de88p-20};
inline constexpr codegen::Polynomial kErfinvFar{kErfinvFarNarrow, kErfinvFarWide};

// log(gamma(x)) / ((x - 1)(x - 2)) by powers of x - 2, from 3/2 to 5/2. Relative error 2^-25.9, 2^-56.2.
inline constexpr double kLogGamma2Narrow[] = {0x1.b0ee6p-2, -0x1.9ae64ep-4, 0x1.0e0d56p-5, -0x1.95d34p-7, 0x1.474922p-8, -0x1.131afcp-9,
    0x1.eb60d2p-11, -0x1.dd805ap-12, 0x1.4e1234p-13};
inline constexpr double kLogGamma2Wide[] = {0x1.b0ee6072093cep-2, -0x1.9ae6509ea10ap-4, 0x1.0e0c9df2935ep-5, -0x1.95ce223a9c4c9p-7,
    0x1.47974853916ccp-8, -0x1.145121fa227c6p-9, 0x1.dfebcfa812a85p-11, -0x1.a96a3f861d513p-12, 0x1.7ed72c6caaf5ap-13,
    -0x1.5c86dcaaa480ap-14, 0x1.403049dfafbbfp-15, -0x1.284a2ea736c9bp-16, 0x1.13c3684e07477p-17, -0x1.02c75e97cb821p-18,
    0x1.e9919cc3081e8p-20, -0x1.b8f4dab5d65e8p-21, 0x1.88730af6b6cd5p-22, -0x1.0ebee44b758fap-22, 0x1.2c04ffd7c540bp-23};
inline constexpr codegen::Polynomial kLogGamma2{kLogGamma2Narrow, kLogGamma2Wide};

// x (log(gamma(x)) - (x - 1/2) log(x) + x - log(2 pi) / 2) by powers of 1 / x^2, x from 4.5. Relative error 2^-31.9, 2^-63.9.
inline constexpr double kStirlingNarrow[] = {0x1.555554p-4, -0x1.6bf4eap-9, 0x1.88440cp-11};
inline constexpr double kStirlingWide[] = {0x1.5555555555555p-4, -0x1.6c16c16c14141p-9, 0x1.a01a01910eebcp-11, -0x1.3813769fc0e4cp-11,
    0x1.b94d8615fd218p-11, -0x1.f61939880fbe9p-10, 0x1.9dc3b65b3beap-8, -0x1.b3c8023dbd83ap-6, 0x1.dbf73c36a6d86p-4,
    -0x1.91bc31780136ep-2, 0x1.51c92b954c8e5p-1};
inline constexpr codegen::Polynomial kStirling{kStirlingNarrow, kStirlingWide};

// digamma(x) / (x - x0), x0 its root, by powers of x - 3/2, from 1 to 2. Relative error 2^-25.3, 2^-53.6.
inline constexpr double kDigamma1Narrow[] = {0x1.e6f0ccp-1, -0x1.b1cb66p-2, 0x1.ec9fbep-3, -0x1.2fec92p-3, 0x1.858faap-4, -0x1.fc2e5ep-5,
    0x1.42e166p-5, -0x1.a86714p-6, 0x1.866fdap-6, -0x1.08e4c2p-6};
inline constexpr double kDigamma1Wide[] = {0x1.e6f0cbb873617p-1, -0x1.b1cb63005ee98p-2, 0x1.eca189b8e6b5cp-3, -0x1.2feeeb98a79a8p-3,
    0x1.8512e59075d78p-4, -0x1.fb44202a13596p-5, 0x1.4de9a9fe1ae3ep-5, -0x1.b9f8b120ca3dcp-6, 0x1.256477382ee99p-6, -0x1.863563244146p-7,
    0x1.03bfe52fbbfffp-7, -0x1.5a06bb100e175p-8, 0x1.cd42bf657e488p-9, -0x1.336c6287be26bp-9, 0x1.97e11788d9ea2p-10,
    -0x1.0fc19f7b28832p-10, 0x1.7c65153d26962p-11, -0x1.fcdb917c05c0ep-12, 0x1.d43d8dfaa11fap-13, -0x1.3229e0977cc46p-13,
    0x1.1378d19f13709p-12, -0x1.73dc4703f0cabp-13};
inline constexpr codegen::Polynomial kDigamma1{kDigamma1Narrow, kDigamma1Wide};

// x^2 (log(x) - 1 / (2 x) - digamma(x)) by powers of 1 / x^2, x from 2 in float32 and from 4 in float64. Relative error 2^-23.4, 2^-69.2.
inline constexpr double kDigammaFarNarrow[] = {0x1.555554p-4, -0x1.1104dap-7, 0x1.00712p-8, -0x1.be3274p-9, 0x1.441834p-9};
inline constexpr double kDigammaFarWide[] = {0x1.5555555555555p-4, -0x1.111111111068bp-7, 0x1.041041021332cp-8, -0x1.11110f769f896p-8,
    0x1.f07b5337f57e6p-8, -0x1.5984b44240b76p-6, 0x1.545941aa61e64p-4, -0x1.bb2fa91b965fdp-2, 0x1.5b265f25d7b9fp+1, -0x1.1cde75784c9bep+4,
    0x1.a1a5c8edad044p+6, -0x1.d2e05cbb63599p+8, 0x1.4b55c035d7443p+10, -0x1.a9025083872b5p+10};
inline constexpr codegen::Polynomial kDigammaFar{kDigammaFarNarrow, kDigammaFarWide};

// sin(pi x) / pi = x + x^3 (c0 + c1 x^2 + ...), |x| to 1/2. Relative error 2^-33.7, 2^-63.6.
inline constexpr double kSinPiNarrow[] = {-0x1.a51a66p+0, 0x1.9f9ca8p-1, -0x1.86a618p-3, 0x1.abcd46p-6, -0x1.23b42ep-9, -0x1.131162p-18};
inline constexpr double kSinPiWide[] = {-0x1.a51a6625307d3p+0, 0x1.9f9cb402bc445p-1, -0x1.86a8e4720b9f4p-3, 0x1.ac6805cd59f84p-6,
    -0x1.338169a9c2001p-9, 0x1.37467293a7052p-13, -0x1.d39332ae36b5dp-18, 0x1.cda56b6d42a26p-23, 0x1.aef1f40c5dea4p-24,
    -0x1.729e48e1d7663p-23, 0x1.027f21ca92ea6p-23};
inline constexpr codegen::Polynomial kSinPi{kSinPiNarrow, kSinPiWide};

// tan(pi x) / pi, alike, |x| to 1/4. Relative error 2^-29.5, 2^-56.2.
inline constexpr double kTanPiNarrow[] = {0x1.a51a74p+1, 0x1.9f974cp+3, 0x1.9fc936p+5, 0x1.93d232p+7, 0x1.fba932p+9, 0x1.322136p+6,
    0x1.381846p+15};
inline constexpr double kTanPiWide[] = {0x1.a51a662530758p+1, 0x1.9f9cb402c71ecp+3, 0x1.9f1372b3d618fp+5, 0x1.9f04c6f509951p+7,
    0x1.9f02f7615a89p+9, 0x1.9f07bb3c6b323p+11, 0x1.9eb4a3e652d7ep+13, 0x1.a28b9d2d216d6p+15, 0x1.8202b4dcccf68p+17,
    0x1.2424c19143537p+20, -0x1.1599b634e1564p+21, 0x1.232b156a6bce1p+26, -0x1.6863dd3a005bcp+28, 0x1.9da773c7e06e8p+30};
inline constexpr codegen::Polynomial kTanPi{kTanPiNarrow, kTanPiWide};

}  // namespace tg::special
