//! The words of a mail before they become text or HTML.

/// A mail's body, block by block.
#[derive(Clone, Debug, Default)]
pub(super) struct Letter {
    pub(super) blocks: Vec<Block>,
}

/// One block.
#[derive(Clone, Debug)]
pub(super) enum Block {
    /// A label and what belongs to it.
    Fact { label: &'static str, body: String, link: Option<String> },
    /// Numbered things to do under a label, and a last sentence.
    Steps { label: &'static str, steps: Vec<Step>, last: String },
    /// Words.
    Para(String),
    /// Lines kept as they are.
    Fixed(Vec<String>),
    /// Below it stand the ids, and nothing a hurried reader needs.
    Line,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) body: String,
    pub(super) link: Option<String>,
}

impl Letter {
    pub(super) fn para(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Para(text.into()));
    }

    pub(super) fn fact(&mut self, label: &'static str, body: impl Into<String>) {
        self.blocks.push(Block::Fact { label, body: body.into(), link: None });
    }

    pub(super) fn fact_with_link(&mut self, label: &'static str, body: impl Into<String>, link: Option<String>) {
        self.blocks.push(Block::Fact { label, body: body.into(), link });
    }
}
