//! What the pages say, by language.

/// The words of one language.
#[derive(Debug)]
pub(super) struct Words {
    /// BCP 47, for the page itself.
    pub lang: &'static str,
    pub asked_for: &'static str,
    pub about: &'static str,
    pub go: &'static str,
    pub write: &'static str,
    pub app: &'static str,
    pub rather_call: &'static str,
    pub call: &'static str,
    pub call_again: &'static str,
    pub gone: &'static str,
    pub unknown: &'static str,
    pub elsewhere: &'static str,
    pub invited: &'static str,
    pub not_invited: &'static str,
    pub busy: &'static str,
    pub question: &'static str,
    pub least: &'static str,
    pub most: &'static str,
    pub send: &'static str,
    pub thanks: &'static str,
}

const ENGLISH: Words = Words {
    lang: "en",
    asked_for: "You asked for this link when you called us.",
    about: "Your call was about:",
    go: "Continue",
    write: "Have us write to you",
    app: "Open the app",
    rather_call: "Would you rather talk to somebody?",
    call: "Call us:",
    call_again: "Please call us again on the number you called before.",
    gone: "This link is no longer valid. Please call us for a new one.",
    unknown: "We do not know this link. Please check that you opened it as it stands in our message.",
    elsewhere: "This link was already used in another browser. Please open it there, ask for a new \
                link, or call us.",
    invited: "Thank you. We are writing to you now: please look at your messages.",
    not_invited: "We could not write to you just now. Please try again, or call us.",
    busy: "Please try again in a minute.",
    question: "Did this solve it?",
    least: "1: not at all",
    most: "5: completely",
    send: "Send answer",
    thanks: "Thank you for your answer.",
};

const SPANISH: Words = Words {
    lang: "es",
    asked_for: "Usted pidió este enlace cuando nos llamó.",
    about: "Su llamada trataba de:",
    go: "Continuar",
    write: "Quiero que me escriban",
    app: "Abrir la aplicación",
    rather_call: "¿Prefiere hablar con alguien?",
    call: "Llámenos:",
    call_again: "Vuelva a llamarnos al número al que llamó antes.",
    gone: "Este enlace ya no es válido. Llámenos para recibir uno nuevo.",
    unknown: "No conocemos este enlace. Compruebe que lo ha abierto tal como está en nuestro mensaje.",
    elsewhere: "Este enlace ya se usó en otro navegador. Ábralo allí, pida un enlace nuevo o llámenos.",
    invited: "Gracias. Le estamos escribiendo: mire sus mensajes.",
    not_invited: "Ahora no hemos podido escribirle. Inténtelo otra vez o llámenos.",
    busy: "Inténtelo de nuevo dentro de un minuto.",
    question: "¿Se ha resuelto su asunto?",
    least: "1: nada",
    most: "5: del todo",
    send: "Enviar respuesta",
    thanks: "Gracias por su respuesta.",
};

const FRENCH: Words = Words {
    lang: "fr",
    asked_for: "Vous avez demandé ce lien lors de votre appel.",
    about: "Votre appel concernait :",
    go: "Continuer",
    write: "Recevoir un message de notre part",
    app: "Ouvrir l’application",
    rather_call: "Vous préférez parler à quelqu’un ?",
    call: "Appelez-nous :",
    call_again: "Rappelez-nous au numéro que vous avez appelé.",
    gone: "Ce lien n’est plus valable. Appelez-nous pour en recevoir un nouveau.",
    unknown: "Ce lien nous est inconnu. Vérifiez que vous l’avez ouvert tel qu’il figure dans notre message.",
    elsewhere: "Ce lien a déjà été utilisé dans un autre navigateur. Ouvrez-le là-bas, demandez un \
                nouveau lien ou appelez-nous.",
    invited: "Merci. Nous vous écrivons à l’instant : regardez vos messages.",
    not_invited: "Nous n’avons pas pu vous écrire. Réessayez ou appelez-nous.",
    busy: "Réessayez dans une minute.",
    question: "Votre question est-elle résolue ?",
    least: "1 : pas du tout",
    most: "5 : entièrement",
    send: "Envoyer la réponse",
    thanks: "Merci de votre réponse.",
};

const GERMAN: Words = Words {
    lang: "de",
    asked_for: "Sie haben diesen Link bei Ihrem Anruf bestellt.",
    about: "In Ihrem Anruf ging es um:",
    go: "Weiter",
    write: "Schreiben Sie mir",
    app: "App öffnen",
    rather_call: "Möchten Sie lieber mit jemandem sprechen?",
    call: "Rufen Sie uns an:",
    call_again: "Bitte rufen Sie uns wieder unter der Nummer an, die Sie gewählt hatten.",
    gone: "Dieser Link ist nicht mehr gültig. Bitte rufen Sie uns für einen neuen an.",
    unknown: "Diesen Link kennen wir nicht. Bitte öffnen Sie ihn genau so, wie er in unserer Nachricht steht.",
    elsewhere: "Dieser Link wurde schon in einem anderen Browser benutzt. Bitte öffnen Sie ihn dort, \
                fordern Sie einen neuen an oder rufen Sie uns an.",
    invited: "Danke. Wir schreiben Ihnen jetzt: bitte sehen Sie in Ihre Nachrichten.",
    not_invited: "Wir konnten Ihnen gerade nicht schreiben. Bitte versuchen Sie es noch einmal oder rufen Sie uns an.",
    busy: "Bitte versuchen Sie es in einer Minute noch einmal.",
    question: "Ist Ihr Anliegen gelöst?",
    least: "1: gar nicht",
    most: "5: vollständig",
    send: "Antwort senden",
    thanks: "Danke für Ihre Antwort.",
};

/// Those of a language such as `es-ES`; English where there are none.
pub(super) fn of(language: &str) -> &'static Words {
    match language.split('-').next().unwrap_or("") {
        "es" => &SPANISH,
        "fr" => &FRENCH,
        "de" => &GERMAN,
        _ => &ENGLISH,
    }
}
