//! Network and database.

use super::{ANY, Managed, PASS_ROLE, ROLE, of};

const CLUSTER: &str = here!("rds", "cluster:events-test-database");
const GATEWAY: &str = here!("ec2", "internet-gateway/igw-1");
const EGRESS: &str = here!("ec2", "egress-only-internet-gateway/eigw-1");
const ADDRESS: &str = here!("ec2", "elastic-ip/eipalloc-1");
const ENDPOINT: &str = here!("ec2", "vpc-endpoint/vpce-1");
const FLOW_LOG: &str = here!("ec2", "vpc-flow-log/fl-1");
const GROUP: &str = here!("ec2", "security-group/sg-1");
const RULE: &str = here!("ec2", "security-group-rule/sgr-1");
const INSTANCE: &str = here!("rds", "db:events-test-database-1");
const NAT: &str = here!("ec2", "natgateway/nat-1");
const PARAMETERS: &str = here!("rds", "cluster-pg:events-test-database");
const ROUTES: &str = here!("ec2", "route-table/rtb-1");
const SECRET: &str = here!("secretsmanager", "secret:rds!cluster-1");
const SUBNET: &str = here!("ec2", "subnet/subnet-1");
const VPC: &str = here!("ec2", "vpc/vpc-1");
const SUBNETS: &str = here!("rds", "subgrp:events-test-database");
const READ_GROUPS: &[&str] = &["ec2:DescribeSecurityGroups"];
const READ_RULES: &[&str] = &["ec2:DescribeSecurityGroupRules"];
const READ_ROUTES: &[&str] = &["ec2:DescribeRouteTables"];
const TAGS: &[&str] = &["ec2:CreateTags", "ec2:DeleteTags"];
const AUTHORIZE_INGRESS: &[&str] = &[
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:ModifySecurityGroupRules",
];
const AUTHORIZE_EGRESS: &[&str] = &[
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:ModifySecurityGroupRules",
];
const RDS_TAGS: &[&str] = &["rds:ListTagsForResource"];

/// Each type with its actions.
pub(in super::super) const NETWORK: &[Managed] = &[
    of(
        "aws_db_subnet_group",
        SUBNETS,
        &["rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"],
        &[
            "rds:AddTagsToResource",
            "rds:CreateDBSubnetGroup",
            "rds:DeleteDBSubnetGroup",
            "rds:ModifyDBSubnetGroup",
            "rds:RemoveTagsFromResource",
        ],
    ),
    of(
        "aws_default_security_group",
        GROUP,
        &[],
        &[
            "ec2:CreateTags",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        ],
    ),
    of("aws_default_security_group", ANY, READ_GROUPS, &[]),
    of(
        "aws_egress_only_internet_gateway",
        EGRESS,
        &[],
        &[
            "ec2:CreateEgressOnlyInternetGateway",
            "ec2:DeleteEgressOnlyInternetGateway",
        ],
    ),
    of("aws_egress_only_internet_gateway", EGRESS, &[], TAGS),
    of(
        "aws_egress_only_internet_gateway",
        VPC,
        &[],
        &["ec2:CreateEgressOnlyInternetGateway"],
    ),
    of(
        "aws_egress_only_internet_gateway",
        ANY,
        &["ec2:DescribeEgressOnlyInternetGateways"],
        &[],
    ),
    of(
        "aws_eip",
        ADDRESS,
        &[],
        &[
            "ec2:AllocateAddress",
            "ec2:DisassociateAddress",
            "ec2:ReleaseAddress",
        ],
    ),
    of("aws_eip", ADDRESS, &[], TAGS),
    of(
        "aws_eip",
        ANY,
        &["ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute"],
        &[],
    ),
    of(
        "aws_flow_log",
        FLOW_LOG,
        &[],
        &["ec2:CreateFlowLogs", "ec2:DeleteFlowLogs"],
    ),
    of("aws_flow_log", FLOW_LOG, &[], TAGS),
    of("aws_flow_log", VPC, &[], &["ec2:CreateFlowLogs"]),
    of("aws_flow_log", ROLE, &[], PASS_ROLE),
    of("aws_flow_log", ANY, &["ec2:DescribeFlowLogs"], &[]),
    of(
        "aws_internet_gateway",
        GATEWAY,
        &[],
        &[
            "ec2:AttachInternetGateway",
            "ec2:CreateInternetGateway",
            "ec2:DeleteInternetGateway",
            "ec2:DetachInternetGateway",
        ],
    ),
    of("aws_internet_gateway", GATEWAY, &[], TAGS),
    of(
        "aws_internet_gateway",
        VPC,
        &[],
        &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"],
    ),
    of(
        "aws_internet_gateway",
        ANY,
        &["ec2:DescribeInternetGateways"],
        &[],
    ),
    of(
        "aws_nat_gateway",
        NAT,
        &[],
        &["ec2:CreateNatGateway", "ec2:DeleteNatGateway"],
    ),
    of("aws_nat_gateway", NAT, &[], TAGS),
    of("aws_nat_gateway", SUBNET, &[], &["ec2:CreateNatGateway"]),
    of("aws_nat_gateway", ADDRESS, &[], &["ec2:CreateNatGateway"]),
    of("aws_nat_gateway", ANY, &["ec2:DescribeNatGateways"], &[]),
    of(
        "aws_rds_cluster",
        CLUSTER,
        &["rds:DescribeDBClusters", "rds:ListTagsForResource"],
        &[
            "rds:AddTagsToResource",
            "rds:CreateDBCluster",
            "rds:CreateDBClusterSnapshot",
            "rds:DeleteDBCluster",
            "rds:ModifyDBCluster",
            "rds:RemoveTagsFromResource",
            "rds:RestoreDBClusterFromSnapshot",
            "rds:RestoreDBClusterToPointInTime",
        ],
    ),
    of(
        "aws_rds_cluster",
        PARAMETERS,
        &[],
        &["rds:CreateDBCluster", "rds:ModifyDBCluster"],
    ),
    of("aws_rds_cluster", SUBNETS, &[], &["rds:CreateDBCluster"]),
    of(
        "aws_rds_cluster",
        here!("rds", "og:default:aurora-postgresql-16"),
        &[],
        &["rds:CreateDBCluster"],
    ),
    of(
        "aws_rds_cluster",
        here!("rds", "cluster-snapshot:events-test-final"),
        &[],
        &["rds:CreateDBClusterSnapshot", "rds:DeleteDBCluster"],
    ),
    // With the rights of who makes the cluster (Amazon Aurora User Guide, "Password management with Amazon Aurora and
    // AWS Secrets Manager").
    of(
        "aws_rds_cluster",
        SECRET,
        &[],
        &["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
    ),
    of("aws_rds_cluster", ANY, &["rds:DescribeGlobalClusters"], &[]),
    of(
        "aws_rds_cluster_instance",
        INSTANCE,
        &["rds:DescribeDBInstances", "rds:ListTagsForResource"],
        &[
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:DeleteDBInstance",
            "rds:ModifyDBInstance",
            "rds:RemoveTagsFromResource",
        ],
    ),
    of(
        "aws_rds_cluster_instance",
        CLUSTER,
        &[],
        &["rds:CreateDBInstance"],
    ),
    of(
        "aws_rds_cluster_instance",
        here!("rds", "pg:default.aurora-postgresql16"),
        &[],
        &["rds:CreateDBInstance", "rds:ModifyDBInstance"],
    ),
    of("aws_rds_cluster_instance", ROLE, &[], PASS_ROLE),
    of(
        "aws_rds_cluster_parameter_group",
        PARAMETERS,
        &[
            "rds:DescribeDBClusterParameterGroups",
            "rds:DescribeDBClusterParameters",
        ],
        &[
            "rds:AddTagsToResource",
            "rds:CreateDBClusterParameterGroup",
            "rds:DeleteDBClusterParameterGroup",
            "rds:ModifyDBClusterParameterGroup",
            "rds:RemoveTagsFromResource",
            "rds:ResetDBClusterParameterGroup",
        ],
    ),
    of("aws_rds_cluster_parameter_group", PARAMETERS, RDS_TAGS, &[]),
    of(
        "aws_route",
        ROUTES,
        &[],
        &["ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"],
    ),
    of("aws_route", ANY, READ_ROUTES, &[]),
    of(
        "aws_route_table",
        ROUTES,
        &[],
        &["ec2:CreateRouteTable", "ec2:DeleteRouteTable"],
    ),
    of("aws_route_table", ROUTES, &[], TAGS),
    of("aws_route_table", VPC, &[], &["ec2:CreateRouteTable"]),
    of("aws_route_table", ANY, READ_ROUTES, &[]),
    of("aws_route_table_association", ROUTES, &[], ROUTES_OF_SUBNET),
    of("aws_route_table_association", SUBNET, &[], ROUTES_OF_SUBNET),
    of("aws_route_table_association", ANY, READ_ROUTES, &[]),
    of(
        "aws_security_group",
        GROUP,
        &[],
        // A new one lets everything out; the provider takes that away.
        &[
            "ec2:CreateSecurityGroup",
            "ec2:DeleteSecurityGroup",
            "ec2:RevokeSecurityGroupEgress",
        ],
    ),
    of("aws_security_group", GROUP, &[], TAGS),
    of("aws_security_group", VPC, &[], &["ec2:CreateSecurityGroup"]),
    // Interfaces that deleted functions left.
    of(
        "aws_security_group",
        ANY,
        &["ec2:DescribeNetworkInterfaces"],
        &["ec2:DeleteNetworkInterface"],
    ),
    of("aws_security_group", ANY, READ_GROUPS, &[]),
    of(
        "aws_subnet",
        SUBNET,
        &[],
        &[
            "ec2:AssociateSubnetCidrBlock",
            "ec2:CreateSubnet",
            "ec2:DeleteSubnet",
            "ec2:DisassociateSubnetCidrBlock",
            "ec2:ModifySubnetAttribute",
        ],
    ),
    of("aws_subnet", SUBNET, &[], TAGS),
    of("aws_subnet", VPC, &[], &["ec2:CreateSubnet"]),
    of("aws_subnet", ANY, &["ec2:DescribeSubnets"], &[]),
    of(
        "aws_vpc",
        VPC,
        &[],
        &[
            "ec2:AssociateVpcCidrBlock",
            "ec2:CreateVpc",
            "ec2:DeleteVpc",
            "ec2:DisassociateVpcCidrBlock",
            "ec2:ModifyVpcAttribute",
        ],
    ),
    of("aws_vpc", VPC, &[], TAGS),
    of(
        "aws_vpc",
        ANY,
        &[
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcs",
        ],
        &[],
    ),
    of(
        "aws_vpc_endpoint",
        ENDPOINT,
        &[],
        &[
            "ec2:CreateVpcEndpoint",
            "ec2:DeleteVpcEndpoints",
            "ec2:ModifyVpcEndpoint",
        ],
    ),
    of("aws_vpc_endpoint", ENDPOINT, &[], TAGS),
    of("aws_vpc_endpoint", VPC, &[], &["ec2:CreateVpcEndpoint"]),
    of("aws_vpc_endpoint", SUBNET, &[], &["ec2:CreateVpcEndpoint"]),
    of("aws_vpc_endpoint", GROUP, &[], &["ec2:CreateVpcEndpoint"]),
    // With a private name.
    of(
        "aws_vpc_endpoint",
        ANY,
        &["ec2:DescribePrefixLists", "ec2:DescribeVpcEndpoints"],
        &["route53:AssociateVPCWithHostedZone"],
    ),
    of(
        "aws_vpc_security_group_egress_rule",
        GROUP,
        &[],
        AUTHORIZE_EGRESS,
    ),
    of(
        "aws_vpc_security_group_egress_rule",
        RULE,
        &[],
        AUTHORIZE_EGRESS,
    ),
    of(
        "aws_vpc_security_group_egress_rule",
        GROUP,
        &[],
        &["ec2:RevokeSecurityGroupEgress"],
    ),
    of("aws_vpc_security_group_egress_rule", ANY, READ_RULES, &[]),
    of(
        "aws_vpc_security_group_ingress_rule",
        GROUP,
        &[],
        AUTHORIZE_INGRESS,
    ),
    of(
        "aws_vpc_security_group_ingress_rule",
        RULE,
        &[],
        AUTHORIZE_INGRESS,
    ),
    of(
        "aws_vpc_security_group_ingress_rule",
        GROUP,
        &[],
        &["ec2:RevokeSecurityGroupIngress"],
    ),
    of("aws_vpc_security_group_ingress_rule", ANY, READ_RULES, &[]),
];

const ROUTES_OF_SUBNET: &[&str] = &[
    "ec2:AssociateRouteTable",
    "ec2:DisassociateRouteTable",
    "ec2:ReplaceRouteTableAssociation",
];
