//! The facts that the picture tells, read from Terraform.

use hcl_edit::expr::{Expression, FuncCall};

use super::terraform::{Terraform, Value};

/// The facts of both environments.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) region: String,
    pub(crate) vpc_cidr: String,
    pub(crate) zones: [Zone; 2],
    pub(crate) engine_version: String,
    pub(crate) batch_size: f64,
    pub(crate) max_receive_count: f64,
    pub(crate) queue_days: f64,
    pub(crate) dead_letter_days: f64,
    pub(crate) pilot: Environment,
    pub(crate) production: Environment,
}

/// An Availability Zone with its two subnets.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    pub(crate) public_cidr: String,
    pub(crate) private_cidr: String,
}

/// What differs between environments.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) has_ipv6_egress: bool,
    pub(crate) has_sqs_endpoint: bool,
    pub(crate) has_nat: bool,
    pub(crate) flow_log_days: Option<f64>,
    pub(crate) instances: f64,
    pub(crate) capacity_acu: (f64, f64),
    pub(crate) ingest_at_once: f64,
    pub(crate) api_at_once: f64,
    pub(crate) has_own_key: bool,
    pub(crate) backup_days: f64,
    pub(crate) is_protected: bool,
    pub(crate) is_traced: bool,
    pub(crate) has_jwt: bool,
    pub(crate) has_export_bucket: bool,
    pub(crate) has_zero_etl: bool,
    pub(crate) has_alarm_mail: bool,
}

/// Where a part exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Both,
    Pilot,
    Production,
    /// Off in both environments; a setting switches it on.
    Optional,
}

impl Model {
    /// Where a part exists that not every environment has.
    pub(crate) fn presence(&self, has: impl Fn(&Environment) -> bool) -> Presence {
        match (has(&self.pilot), has(&self.production)) {
            (true, true) => Presence::Both,
            (true, false) => Presence::Pilot,
            (false, true) => Presence::Production,
            (false, false) => Presence::Optional,
        }
    }

    /// # Errors
    /// Terraform does not say it, or the environments differ where the picture shows one value.
    pub(crate) fn read(terraform: &Terraform) -> Result<Self, String> {
        let same = |path: &str| {
            let value = terraform.setting("pilot", path)?;
            if terraform.setting("production", path)? == value {
                Ok(value)
            } else {
                Err(format!(
                    "pilot and production differ in {path}: the picture shows one value"
                ))
            }
        };
        let days = |path: &str| Ok::<_, String>(number(path, same(path)?)? / 86_400.0);
        let count = |path: &str| number(path, same(path)?);
        let vpc_cidr = text("network.cidr_block", same("network.cidr_block")?)?;
        Ok(Self {
            region: text("region", terraform.default("environments/pilot", "region")?)?,
            zones: zones(terraform, &vpc_cidr, same("network.availability_zones")?)?,
            vpc_cidr,
            engine_version: text("engine_version", same("database.engine_version")?)?,
            batch_size: count("ingest.batch_size")?,
            max_receive_count: count("queue.max_receive_count")?,
            queue_days: days("queue.queue_retention_secs")?,
            dead_letter_days: days("queue.dead_letter_retention_secs")?,
            pilot: Environment::read(terraform, "pilot")?,
            production: Environment::read(terraform, "production")?,
        })
    }
}

impl Environment {
    fn read(terraform: &Terraform, name: &str) -> Result<Self, String> {
        let setting = |path: &str| terraform.setting(name, path);
        let is_on = |path: &str| {
            let value = setting(path)?;
            let Value::Bool(is_on) = value else {
                return Err(format!(
                    "{path} of {name} is {value:?}: expected true or false"
                ));
            };
            Ok(is_on)
        };
        let is_set = |path: &str| Ok::<_, String>(setting(path)? != Value::Null);
        let count = |path: &str| number(path, setting(path)?);
        Ok(Self {
            has_ipv6_egress: is_on("network.ipv6_egress_enabled")?,
            has_sqs_endpoint: is_on("network.sqs_endpoint_enabled")?,
            has_nat: setting("network.nat")? != Value::Text("none".to_owned()),
            flow_log_days: is_set("network.flow_log_retention_days")?
                .then(|| count("network.flow_log_retention_days"))
                .transpose()?,
            instances: count("database.instance_count")?,
            capacity_acu: (
                count("database.min_capacity_acu")?,
                count("database.max_capacity_acu")?,
            ),
            ingest_at_once: count("ingest.maximum_concurrency")?,
            api_at_once: count("api.reserved_concurrency")?,
            has_own_key: is_set("kms_key_arn")? || is_on("customer_managed_key_enabled")?,
            backup_days: count("database.backup_retention_days")?,
            is_protected: is_on("database.deletion_protection")?,
            is_traced: is_on("tracing_enabled")?,
            has_jwt: is_set("api.jwt")?,
            has_export_bucket: is_set("warehouse.export_bucket")?,
            has_zero_etl: is_set("warehouse.redshift_namespace_arn")?,
            has_alarm_mail: setting("notification_emails")? != Value::List(Vec::new()),
        })
    }
}

fn number(path: &str, value: Value) -> Result<f64, String> {
    let Value::Number(number) = value else {
        return Err(format!("{path} is {value:?}: expected a number"));
    };
    Ok(number)
}

fn text(path: &str, value: Value) -> Result<String, String> {
    let Value::Text(text) = value else {
        return Err(format!("{path} is {value:?}: expected a text"));
    };
    Ok(text)
}

fn zones(terraform: &Terraform, vpc_cidr: &str, names: Value) -> Result<[Zone; 2], String> {
    let Value::List(names) = names else {
        return Err("network.availability_zones is no list".to_owned());
    };
    let subnets = terraform
        .local("modules/network", "subnets")
        .and_then(Expression::as_for_expr)
        .and_then(|each| each.value_expr.as_object())
        .ok_or("modules/network has no local value `subnets` for each zone")?;
    let block = |attribute: &str, index: u32| {
        let mut fields = subnets.iter();
        let (_, value) = fields
            .find(|(key, _)| key.as_ident().is_some_and(|key| key.as_str() == attribute))
            .ok_or_else(|| format!("a subnet of modules/network has no {attribute}"))?;
        let call = value.expr().as_func_call();
        call.and_then(|call| cidr_block(vpc_cidr, call, index))
            .ok_or_else(|| format!("{attribute} is no cidrsubnet(BLOCK, BITS, index + NUMBER)"))
    };
    let mut zones = Vec::new();
    for (name, index) in names.into_iter().zip(0..) {
        zones.push(Zone {
            name: text("network.availability_zones", name)?,
            public_cidr: block("public_cidr", index)?,
            private_cidr: block("private_cidr", index)?,
        });
    }
    let wrong =
        |zones: Vec<Zone>| format!("the picture has two zones, and Terraform {}", zones.len());
    zones.try_into().map_err(wrong)
}

/// `cidrsubnet(BLOCK, BITS, index + NUMBER)` as Terraform computes it.
fn cidr_block(block: &str, call: &FuncCall, index: u32) -> Option<String> {
    let bits = u32::try_from(call.args.get(1)?.as_number()?.as_u64()?).ok()?;
    let position = call.args.get(2)?;
    let after = match position.as_binary_op() {
        Some(sum) => u32::try_from(sum.rhs_expr.as_number()?.as_u64()?).ok()?,
        None => 0,
    };
    let (address, length) = block.split_once('/')?;
    let address = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
    let length = length.parse::<u32>().ok()?.checked_add(bits)?;
    let step = 1_u32.checked_shl(32_u32.checked_sub(length)?)?;
    let first = address.checked_add(step.checked_mul(index.checked_add(after)?)?)?;
    Some(format!("{}/{length}", std::net::Ipv4Addr::from(first)))
}
